# What the host has used since it booted and holds now, one number a line: kind, name, value.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
ticks=$(getconf CLK_TCK 2>/dev/null || echo 100)
awk '{ print "uptime - " $1 }' /proc/uptime
awk -v ticks="$ticks" '/^cpu / { print "counter CPU " ($2 + $3 + $4 + $7 + $8 + $9) / ticks }' /proc/stat
awk '$3 ~ /^(sd[a-z]+|vd[a-z]+|xvd[a-z]+|hd[a-z]+|dasd[a-z]+|nvme[0-9]+n[0-9]+|mmcblk[0-9]+)$/ { ms += $13 }
    END { print "counter disk " ms / 1000 }' /proc/diskstats
tr ':' ' ' </proc/net/dev | awk 'NR > 2 && $1 != "lo" { errors += $4 + $12 } END { print "counter network-errors " errors + 0 }'
awk '/^MemTotal:/ { total = $2 } /^MemAvailable:/ { free = $2 }
    END { if (total && free != "") print "gauge memory " (total - free) / 1024 }' /proc/meminfo
awk '{ print "gauge load " $1 }' /proc/loadavg
echo end
