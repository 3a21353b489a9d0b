# Starts the units in $UNITS (words of shell) anew, $TIMES times; prints 0, the microseconds that it
# took, and 1 where all came up, else 0.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
now() { echo $(($(date +%s%N) / 1000)); }
eval "set -- $UNITS"
while [ "$TIMES" -gt 0 ]; do
    systemctl reset-failed -- "$@" 2>/dev/null
    before=$(now)
    well=0
    systemctl restart -- "$@" >/dev/null 2>&1 && well=1
    printf '0 %s %s\n' $(($(now) - before)) "$well"
    TIMES=$((TIMES - 1))
done
