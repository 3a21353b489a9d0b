if has_systemd; then
    restart_stale
else
    note "restart" "no systemd here: nothing was restarted"
fi
exit 0
