# Removes the return bundles that need not be kept any more, while no transaction is at work.
if [ -d "$root/tx" ]; then
    exec 9>>"$root/busy"
    flock -n 9 || fail "a transaction is at work; try again when it has ended"
    {
        prune_by_age
        prune_to "$MAX_KIB" "$KEEP_LAST"
        prune_records
    } | sed 's/^removed /removed\t/' >&3
fi
printf 'end\n' >&3
exit 0
