#!/bin/sh
# Runs a transaction's script once, whatever happens to whoever asked for it. A signal does not
# stop it: dpkg finishes. The exclusive creation of `started` makes a second start harmless.
trap : TERM HUP INT
umask 077
root=/var/lib/suture
tx=$root/tx/$1
cd / || exit 70
exec 8>>"$tx/alive"
flock -n 8 || exit 0
[ ! -e "$tx/started" ] || exit 0
cat /proc/sys/kernel/random/boot_id >"$tx/boot_id"
(set -C && : >"$tx/started") 2>/dev/null || exit 0
date +%s >"$tx/started"
sync "$tx/started" "$tx/boot_id"
export TX_DIR="$tx" HOME=/root
flock -o -n -E 75 "$root/busy" flock -o "$tx/work" /bin/sh "$tx/script" \
    >"$tx/log" 2>&1 3>"$tx/result" 8>&- </dev/null
status=$?
date +%s >"$tx/ended"
printf '%s\n' "$status" >"$tx/exit.new"
sync "$tx/exit.new" "$tx/result" "$tx/log"
mv "$tx/exit.new" "$tx/exit"
sync "$tx"
