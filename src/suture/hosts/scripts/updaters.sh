# Other updaters are paused by stopping their timers and nothing else: one that runs is waited for,
# and a reboot brings them back by itself. The record lies in the transaction's directory.
# PAUSE_UPDATERS=0 leaves the timers alone.
updater_timers="apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.timer packagekit-offline-update.timer"
updater_services="apt-daily.service apt-daily-upgrade.service unattended-upgrades-run.service packagekit-offline-update.service"

# Puts back what transactions paused that are no longer there to do it themselves.
resume_updaters() {
    for record in "$root"/tx/*/paused; do
        [ -e "$record" ] || continue
        # shellcheck disable=SC2046
        systemctl --no-block start $(cat "$record") 3>&- && rm -f "$record"
    done
}

hold_off_updaters() {
    has_systemd || return 0
    resume_updaters
    [ "$PAUSE_UPDATERS" = 0 ] || pause_updaters
    wait_for_updaters
}

pause_updaters() {
    # shellcheck disable=SC2086
    active=$(systemctl list-units --plain --no-legend --state=active $updater_timers | cut -d' ' -f1)
    if [ -n "$active" ]; then
        printf '%s\n' "$active" >"$TX_DIR/paused"
        sync "$TX_DIR/paused"
        # shellcheck disable=SC2086
        systemctl stop $active 3>&-
    fi
    trap resume_updaters EXIT
}

# Waits up to $LOCK_WAIT_S seconds; never kills one.
wait_for_updaters() {
    left=$LOCK_WAIT_S
    while running=$(running_updaters) && [ -n "$running" ]; do
        [ "$left" -gt 0 ] || fail "another updater is still at work: $running; try again when it has finished"
        sleep 1
        left=$((left - 1))
    done
}

running_updaters() {
    # shellcheck disable=SC2086
    systemctl list-units --plain --no-legend --state=active,activating,reloading $updater_services |
        cut -d' ' -f1 | tr '\n' ' '
}
