# Restarts what still runs replaced code. Units whose names $LEFT_RUNNING matches are left for a
# reboot, and so is whatever does not come back with new code.

restartable() {
    case $1 in
    *.service) ! printf '%s\n' "$1" | grep -Eq "$LEFT_RUNNING" ;;
    *) false ;;
    esac
}

# The package that brought a unit, empty where none did.
package_of_unit() {
    path=$(systemctl show -p FragmentPath --value -- "$1" 2>/dev/null)
    owner=$(dpkg-query -S "$path" 2>/dev/null || dpkg-query -S "/usr$path" 2>/dev/null || dpkg-query -S "${path#/usr}" 2>/dev/null)
    printf '%s' "${owner%%:*}"
}

restart_stale() {
    stale_processes >"$TX_DIR/stale"
    [ -s "$TX_DIR/stale" ] || return 0
    if grep -q '^1 ' "$TX_DIR/stale"; then
        systemctl daemon-reexec 3>&- && note reexecuted "systemd (PID 1)"
    fi
    cut -d' ' -f2 "$TX_DIR/stale" | sort -u | while read -r unit; do
        restartable "$unit" || continue
        if systemctl restart "$unit" 3>&-; then
            note restarted "$unit"
        else
            check "restart $unit" fail "systemctl restart ended with status $?"
            printf 'failed-unit\t%s\t%s\n' "$unit" "$(package_of_unit "$unit")" >&3
        fi
    done
}

report_stale() {
    stale_processes | while read -r pid unit path; do
        printf 'stale\t%s\t%s\t%s\n' "$pid" "$unit" "$path" >&3
    done
}
