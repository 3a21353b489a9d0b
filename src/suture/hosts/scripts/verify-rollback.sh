# Whether the host is as the return bundle recorded it; changes nothing.
bundle=$root/tx/$RETURN_ID/return
[ -f "$bundle/complete" ] || fail "there is no return bundle to compare with"

packages | comm -3 "$bundle/installed" - | awk -F '\t' '
    { split($NF, field, " "); printf "package\t%s\t%s\t%s\t%s %s\n", NF == 1 ? "-" : "+", field[1], field[2], field[3], field[4] }' >&3
config_manifest "$bundle/config-roots" >"$TX_DIR/config-now"
[ -f "$bundle/config-current" ] || cp "$TX_DIR/config-now" "$TX_DIR/config-current"
config_decisions "$TX_DIR/config-now" | head -n 200 | while IFS= read -r line; do printf 'config\t%s\n' "$line"; done >&3
apt-mark showauto | sort | comm -3 "$bundle/automatic" - | tr -d '\t' | while read -r name; do printf 'mark\tautomatic\t%s\n' "$name"; done >&3
apt-mark showhold | sort | comm -3 "$bundle/held" - | tr -d '\t' | while read -r name; do printf 'mark\thold\t%s\n' "$name"; done >&3
audit=$(dpkg --audit 2>&1 | head -c 600)
[ -z "$audit" ] && check "package database" pass "dpkg --audit has nothing to say" ||
    check "package database" fail "$audit"
sed 's/^health/health-before/' "$bundle/health" >&3
patience=$(($(date +%s) + HEALTH_WAIT_S))
run_health "$HEALTH_WAIT_S" >&3
settle_units "$patience"
failed_units | comm -13 "$bundle/failed-units" - | while read -r unit; do printf 'failed-unit\t%s\t\n' "$unit"; done >&3
active_units | comm -23 "$bundle/active-units" - | while read -r unit; do printf 'inactive\t%s\n' "$unit"; done >&3
each_control compare

# Seconds since 1970; the kernel counts them in hundredths from the boot.
started_at() {
    ticks=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20)
    echo $(($(sed -n 's/^btime //p' /proc/stat) + ${ticks:-0} / 100))
}

# stale PID UNIT PATH before|since: since the patch, what it still runs may be the patch's.
patched_at=$(stat -c %Y "$bundle/complete")
stale_processes | while read -r pid unit path; do
    if [ "$(started_at "$pid")" -lt "$patched_at" ]; then when=before; else when=since; fi
    printf 'stale\t%s\t%s\t%s\t%s\n' "$pid" "$unit" "$path" "$when" >&3
done
printf 'end\n' >&3
exit 0
