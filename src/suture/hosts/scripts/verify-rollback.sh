# Whether the host is as the return bundle recorded it; changes nothing.
[ -f "$bundle/complete" ] || fail "there is no return bundle to compare with"

# What somebody else did to other packages before the way back began is not ours to judge.
not_ours() {
    [ "$ASKED" = 1 ] && [ -f "$bundle/packages-current" ] || { cat; return; }
    plan_keys >"$TX_DIR/keys"
    awk -v keys="$TX_DIR/keys" -v current="$bundle/packages-current" '
        BEGIN {
            while ((getline line < keys) > 0) ours[line] = 1
            while ((getline line < current) > 0) before[line] = 1
        }
        { new = sub(/^\t/, ""); key = $1 }
        key in ours || ($0 in before) != new { print (new ? "\t" : "") $0 }'
}

packages >"$TX_DIR/packages"
comm -3 "$bundle/installed" "$TX_DIR/packages" | not_ours | awk -F '\t' '
    { split($NF, field, " "); printf "package\t%s\t%s\t%s\t%s %s\n", NF == 1 ? "-" : "+", field[1], field[2], field[3], field[4] }' >&3
[ ! -f "$bundle/data-failed" ] || check "data" fail "$(cat "$bundle/data-failed")"
decide_configuration
head -n 200 "$TX_DIR/decisions" | while IFS= read -r line; do printf 'config\t%s\n' "$line"; done >&3
apt-mark showauto | sort | comm -3 "$bundle/automatic" - | tr -d '\t' | what_we_mark | while read -r name; do printf 'mark\tautomatic\t%s\n' "$name"; done >&3
apt-mark showhold | sort | comm -3 "$bundle/held" - | tr -d '\t' | what_we_mark | while read -r name; do printf 'mark\thold\t%s\n' "$name"; done >&3
audit=$(dpkg --audit 2>&1 | head -c 600)
[ -z "$audit" ] && check "package database" pass "dpkg --audit has nothing to say" ||
    check "package database" fail "$audit"
sed 's/^health/health-before/' "$bundle/health" >&3
patience=$(($(date +%s) + HEALTH_WAIT_S))
run_health "$HEALTH_WAIT_S" >&3
settle_units "$patience"
failed_units | comm -13 "$bundle/failed-units" - | failed_by_us | while read -r unit; do printf 'failed-unit\t%s\t\n' "$unit"; done >&3
active_units | comm -23 "$bundle/active-units" - | units_to_run | while read -r unit; do printf 'inactive\t%s\n' "$unit"; done >&3
each_control compare
tell_kernels
tell_stale | while read -r pid unit path when; do
    printf 'stale\t%s\t%s\t%s\t%s\n' "$pid" "$unit" "$path" "$when" >&3
done
printf 'end\n' >&3
exit 0
