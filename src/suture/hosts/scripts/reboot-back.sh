# What was taken back and runs on, where only a reboot ends that; changes nothing. Asked again after
# the reboot was begun, it is begun still.
[ ! -e "$root/tx/$REBOOT_ID/started" ] || printf 'required\tit was begun already\n' >&3
if [ "$(cat "$root/tx/$BACK_ID/exit" 2>/dev/null)" = 0 ]; then
    tell_kernels
    tell_stale | while read -r pid unit path when; do
        [ "$when" = before ] || restartable "$unit" ||
            printf 'required\t%s still runs what was taken back\n' "$unit" >&3
    done
fi
printf 'end\n' >&3
exit 0
