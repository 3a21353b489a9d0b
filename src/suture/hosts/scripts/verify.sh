# Looks at what the patch did; changes nothing. Everything is compared with the return bundle.
bundle=$root/tx/$RETURN_ID/return
apply=$root/tx/$APPLY_ID
[ -f "$bundle/complete" ] || fail "there is no return bundle to compare with; this host was not prepared by this plan"

# package - KEY VERSION STATUS (gone) and + (there now): what differs from before the patch
packages | comm -3 "$bundle/installed" - | awk -F '\t' '
    { split($NF, field, " "); printf "package\t%s\t%s\t%s\t%s %s\n", NF == 1 ? "-" : "+", field[1], field[2], field[3], field[4] }' >&3

audit=$(dpkg --audit 2>&1 | head -c 600)
[ -z "$audit" ] && check "package database" pass "dpkg --audit has nothing to say" ||
    check "package database" fail "$audit"

# since OFFSET FILE: what was written after the patch began, from the start where it was rotated
since() {
    [ -f "$2" ] || return 0
    offset=$1
    [ "$(stat -c %s "$2")" -ge "$offset" ] || offset=0
    tail -c "+$((offset + 1))" "$2" | head -c 4194304
}

if read -r dpkg_offset history_offset <"$apply/log-offsets"; then
    since "$dpkg_offset" /var/log/dpkg.log |
        awk '$3 == "status" && $4 == "installed" { printf "logged\t%s\t%s\n", $5, $6 }' | sort -u >&3
    since "$history_offset" /var/log/apt/history.log | awk '/^Error: / { printf "apt-error\t%s\n", $0 }' >&3
fi 2>/dev/null

# shellcheck disable=SC2046
[ -z "$PLAN" ] || dpkg --verify $(plan_keys) 2>&1 | grep -v ' c /' | head -n 50 |
    while IFS= read -r line; do printf 'altered\t%s\n' "$(printf '%s' "$line" | one_line)"; done >&3

find /etc \( -name '*.dpkg-dist' -o -name '*.dpkg-new' -o -name '*.ucf-dist' \) -cnewer "$bundle/complete" |
    head -n 50 | while IFS= read -r path; do printf 'new-config\t%s\n' "$path" >&3; done

sed 's/^health/health-before/' "$bundle/health" >&3
patience=$(($(date +%s) + HEALTH_WAIT_S))
run_health "$HEALTH_WAIT_S" >&3
settle_units "$patience"
failed_units >"$TX_DIR/failed"
comm -13 "$bundle/failed-units" "$TX_DIR/failed" | while read -r unit; do
    printf 'failed-unit\t%s\t%s\n' "$unit" "$(package_of_unit "$unit")" >&3
done

each_control verify
report_stale
[ ! -e /run/reboot-required ] && [ ! -e /var/run/reboot-required ] || printf 'reboot-required\n' >&3
printf 'end\n' >&3
exit 0
