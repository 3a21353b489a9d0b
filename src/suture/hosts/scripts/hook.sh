# Runs $COMMAND, which the policy names, for at most $TIMEOUT_S seconds. It sees the exported
# variables alone, and not the descriptor that results are written to.
timeout -k 5 "$TIMEOUT_S" /bin/sh -c "$COMMAND" 3>&- </dev/null
status=$?
case $status in
0) exit 0 ;;
124 | 137) fail "it was stopped after $TIMEOUT_S s" ;;
*) fail "exit status $status" ;;
esac
