# stale_processes: "pid unit path" of every process that still runs code which is no longer on
# disk, apart from this script's own ancestors (the connection that asks) and other containers'.
stale_processes() {
    own=$(readlink /proc/self/ns/pid)
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
        [ "$(readlink "/proc/$pid/ns/pid")" = "$own" ] || continue
        printf '%s %s %s\n' "$pid" "$(unit_of "$pid")" "${path%.dpkg-*}"
    done
}

# The outermost unit of a process: inside a container, that is the container's own.
unit_of() {
    if [ "$1" = 1 ]; then
        unit=init.scope
    else
        unit=$(sed -n 's,^\(0::\|[0-9]*:name=systemd:\)/,,p' "/proc/$1/cgroup" 2>/dev/null |
            tr '/' '\n' | grep -E -m 1 '\.(service|scope)$')
    fi
    printf '%s' "${unit:--}"
}
