# Whether the host may be patched now; changes nothing.
printf 'clock\t%s\n' "$(date +%s.%N)" >&3

audit=$(dpkg --audit 2>&1 | head -c 600)
[ -z "$audit" ] && check "package database" pass "dpkg --audit has nothing to say" ||
    check "package database" fail "dpkg --audit: $audit; repair it (dpkg --configure -a, apt-get -f install) and try again"

held=$(wait_for_locks)
[ -z "$held" ] && check "locks" pass "nobody else is at work" ||
    check "locks" fail "still held after $LOCK_WAIT_S s: $held; wait for it to finish and try again"

if [ -z "$held" ]; then
    broken=$(apt-get check -q -q 2>&1) && check "dependencies" pass "apt-get check has nothing to say" ||
        check "dependencies" fail "apt-get check: $(printf '%s' "$broken" | tail -n 5); repair it (apt-get -f install) and try again"
fi

busy=$(running_updaters)
[ -z "$busy" ] && check "other updaters" pass "none is at work" ||
    check "other updaters" inconclusive "$busy is at work; it will be waited for"

packages | awk '{ print "installed\t" $1 "\t" $2 "\t" $3 " " $4 }' >"$TX_DIR/installed"
plan_lines | awk -F '[ \t]' '
    NR == FNR { line[$2] = $0; next }
    { key = $1 ":" $2; if (key in line) print line[key] }' "$TX_DIR/installed" - >&3

files=
while read -r name arch before after sha256 size action && [ -n "$name" ]; do
    file=$cache/$(deb_name "$name" "$after" "$arch")
    if [ -f "$file" ]; then
        files="$files $file"
    else
        printf 'missing\t%s\n' "$name" >&3
    fi
    new=$(dpkg-deb -f "$file" Installed-Size 2>/dev/null)
    old=$(dpkg-query -W -f '${Installed-Size}' "$name:$arch" 2>/dev/null)
    printf 'size\t%s\t%s\t%s\n' "$name" "${new:-0}" "${old:-0}" >&3
done <<EOF
$PLAN
EOF
printf '%s\n' / /usr /boot "$root" "$KEPT_FREE" | sort -u | while IFS= read -r path; do
    [ ! -d "$path" ] || printf 'disk\t%s\t%s\n' "$path" "$(df -Pk -- "$path" | awk 'NR == 2 { print $6 "\t" $4 }')" >&3
done
printf 'configuration\t%s\n' "$(du -sk /etc | cut -f1)" >&3

# shellcheck disable=SC2086
[ -z "$files" ] || apt_install -s --no-install-recommends $files 2>&1 |
    awk '$1 == "Inst" || $1 == "Remv" || $1 == "Purg" || $1 == "E:" { print "simulated\t" $0 }' | head -n 2000 >&3
each_control probe
printf 'end\n' >&3
exit 0
