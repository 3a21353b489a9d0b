# The last resort: the file systems of the system as they were when the bundle was made, by a boot.
# What was written to them since is gone, this transaction's own record included.
[ -f "$bundle/complete" ] || fail "there is no complete return bundle in $bundle; restore this host from its backup"
if [ -f "$bundle/snapshots" ] && [ ! -f "$bundle/snapshot-taken" ]; then
    check "snapshots" pass "the host runs from them already"
    exit 0
fi
[ -f "$bundle/snapshots" ] || fail "the return bundle has no snapshots; roll back by packages"
lost=$(lost_snapshots)
[ -z "$lost" ] || fail "$lost; roll back by packages"
: >"$TX_DIR/at-last"
printf 'changing\n' >&3
each_line restore "$bundle/snapshots" || fail "the snapshot of $mount could not be restored ($kind); those before it in the list go back with the next boot all the same; see the log and ask again before that"
check "snapshots" pass "restored with the next boot: $(cut -f1,2 "$bundle/snapshots" | tr '\t\n' ' ;')"
printf 'rebooting\t%s\n' "$(cat /proc/sys/kernel/random/boot_id)" >&3
sync
if [ -s "$TX_DIR/at-last" ]; then
    boot="$(cat "$TX_DIR/at-last")echo b >/proc/sysrq-trigger"
else
    boot="systemctl --no-block reboot"
fi
systemd-run --quiet --collect --on-active=5 sh -c "$boot" 3>&- || fail "the boot could not be started; boot the host by hand"
exit 0
