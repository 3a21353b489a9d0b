# Reboots. The script ends first; systemd then lets the transaction write its end before it stops.
printf 'rebooting\t%s\n' "$(cat /proc/sys/kernel/random/boot_id)" >&3
sync
if has_systemd; then systemctl --no-block reboot 3>&-; else reboot 3>&-; fi || fail "the reboot could not be started"
exit 0
