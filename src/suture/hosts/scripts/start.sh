# Probe before act: starts transaction $TX once, under fence $FENCE; its script is on standard input.
mkdir -p "$root/tx" && chmod 700 "$root" "$root/tx" || exit 70
tx=$root/tx/$TX

start_transaction() {
    current=$(cat "$root/fence" 2>/dev/null || echo 0)
    case $current in *[!0-9]* | '') current=9223372036854775807 ;; esac
    if [ "$FENCE" -lt "$current" ]; then
        refused=$current
        return
    fi
    if [ "$FENCE" -gt "$current" ]; then
        printf '%s\n' "$FENCE" >"$root/fence.new" && sync "$root/fence.new" &&
            mv "$root/fence.new" "$root/fence" || exit 70
    fi
    [ -e "$tx/started" ] && return
    mkdir -p "$tx" && cat >"$tx/script.new" && printf '%s' "$RUNNER" >"$tx/runner" || exit 70
    if ! printf '%s  %s\n' "$SCRIPT_SHA256" "$tx/script.new" | sha256sum --status -c; then
        echo "suture: the script did not arrive whole" >&2
        exit 70
    fi
    sync "$tx/script.new" && mv "$tx/script.new" "$tx/script" || exit 70
    if has_systemd; then
        systemd-run --quiet --collect --unit="suture-$TX" --description="Suture transaction $TX" \
            -p KillMode=process -p SendSIGKILL=no -p TimeoutStopSec=30min -p OOMPolicy=continue \
            -p StandardInput=null /bin/sh "$tx/runner" "$TX" >/dev/null 9>&-
    else
        setsid /bin/sh "$tx/runner" "$TX" >/dev/null 2>&1 </dev/null 9>&- &
    fi
}

refused=
exec 9>>"$root/lock"
flock -w 60 9 || exit 70
start_transaction
exec 9>&-
