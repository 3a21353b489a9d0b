# stale_processes: "pid unit path" of every process that still runs code which is no longer on
# disk, apart from this script's own ancestors (the connection that asks).
stale_processes() {
    ancestors=" $$ "
    parent=$$
    while [ "${parent:-0}" -gt 1 ]; do
        parent=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$parent/status" 2>/dev/null)
        ancestors="$ancestors$parent "
    done
    # init is everybody's ancestor, and is asked about all the same
    ancestors=$(printf '%s' "$ancestors" | sed 's/ 1 $/ /')
    # shellcheck disable=SC2016
    awk -v ancestors="$ancestors" '
        function known() { return pid != "" }
        FNR == 1 { split(FILENAME, part, "/"); pid = part[3]; seen = 0 }
        !seen && / \(deleted\)$/ && $2 ~ /x/ && $6 ~ "^/(usr|lib|lib32|lib64|bin|sbin|opt|snap)/" {
            if (known() && !index(ancestors, " " pid " ")) print pid, $6
            seen = 1
        }' /proc/[0-9]*/maps 2>/dev/null | while read -r pid path; do
        printf '%s %s %s\n' "$pid" "$(unit_of "$pid")" "${path%.dpkg-*}"
    done
}

unit_of() {
    unit=$(sed -n 's,^\(0::\|1:name=systemd:\|[0-9]*:name=systemd:\)/,/,p' "/proc/$1/cgroup" 2>/dev/null | head -n 1)
    [ "$1" != 1 ] || unit=/init.scope
    unit=$(printf '%s' "$unit" | tr '/' '\n' | grep -E '\.(service|scope)$' | head -n 1)
    printf '%s' "${unit:--}"
}
