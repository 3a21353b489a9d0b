# Runs $LOAD again and again for $SECONDS_ seconds, at most $MOST times; prints when each run began,
# how long it took, both in microseconds, and 1 for exit status 0, else 0.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
now() { echo $(($(date +%s%N) / 1000)); }
case $(date +%N) in
*[!0-9]* | '') echo "this host's date tells no fractions of a second" >&2 && exit 1 ;;
esac
began=$(now)
runs=0
after=$began
while [ "$runs" -lt "$MOST" ] && [ $((after - began)) -lt $((SECONDS_ * 1000000)) ]; do
    before=$(now)
    well=0
    timeout -k 2 "$SECONDS_" sh -c "$LOAD" </dev/null >/dev/null 2>&1 && well=1
    after=$(now)
    printf '%s %s %s\n' $((before - began)) $((after - before)) "$well"
    runs=$((runs + 1))
done
exit 0
