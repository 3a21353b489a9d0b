# Reports transaction $TX: its state, and what it printed from $OFFSET on. Waits up to $WAIT_S
# seconds for its end; new output is handed over after a second, so that it can be watched.
tx=$root/tx/$TX
refused=${refused:-}

size_of() { stat -c %s "$1" 2>/dev/null || echo 0; }

# Either its runner lives or, where somebody killed that one alone, what it had started does.
is_alive() {
    ! flock -n "$tx/alive" true || { [ -e "$tx/work" ] && ! flock -n "$tx/work" true; }
}

state() {
    if [ ! -e "$tx/script" ]; then echo absent
    elif [ -e "$tx/exit" ]; then echo done
    elif [ ! -e "$tx/started" ]; then echo prepared
    elif [ "$(cat "$tx/boot_id" 2>/dev/null)" = "$boot_now" ] && is_alive; then echo running
    elif [ -e "$tx/exit" ]; then echo done
    else echo interrupted
    fi
}

boot_now=$(cat /proc/sys/kernel/random/boot_id)

# Waits some ticks, fifths of a second, and sets $waited to how many. While the runner lives, it is
# the kernel that waits, for the end of its lock. Before `started` nobody may touch that: a runner
# that does not get it at once gives up.
wait_a_little() {
    waited=5
    if [ -e "$tx/started" ]; then
        flock -s -w 1 -E 75 "$tx/alive" true
        [ $? = 75 ] && return
    fi
    waited=1
    [ -e "$tx/exit" ] || sleep 0.2
}

ticks=$((WAIT_S * 5))
unseen=0
[ -z "$refused" ] && [ -e "$tx/script" ] || ticks=0
while [ "$ticks" -gt 0 ] && [ ! -e "$tx/exit" ]; do
    wait_a_little
    ticks=$((ticks - waited))
    unseen=$((unseen + waited))
    [ "$unseen" -ge 5 ] || continue
    unseen=0
    [ "$(size_of "$tx/log")" -gt "$OFFSET" ] && break
    [ "$waited" = 5 ] || [ "$(state)" != interrupted ] || break
done
now=$(state)
[ -z "$refused" ] || now=refused
result_size=$(size_of "$tx/result")
log_size=$(size_of "$tx/log")
[ "$result_size" -le 262144 ] || result_size=262144
chunk=$((log_size - OFFSET))
[ "$chunk" -ge 0 ] || chunk=0
[ "$chunk" -le 262144 ] || chunk=262144
printf 'suture-receipt 1\nid %s\nstate %s\nfence %s\nexit %s\nstarted %s\nended %s\n' \
    "$TX" "$now" "${refused:-$(cat "$root/fence" 2>/dev/null || echo 0)}" \
    "$(cat "$tx/exit" 2>/dev/null)" "$(cat "$tx/started" 2>/dev/null)" "$(cat "$tx/ended" 2>/dev/null)"
printf 'boot_then %s\nboot_now %s\nresult %s\nlog %s\n\n' \
    "$(cat "$tx/boot_id" 2>/dev/null)" "$boot_now" "$result_size" "$chunk"
[ "$result_size" = 0 ] || head -c "$result_size" "$tx/result"
[ "$chunk" = 0 ] || tail -c "+$((OFFSET + 1))" "$tx/log" | head -c "$chunk"
exit 0
