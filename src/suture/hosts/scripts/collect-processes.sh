section stale
stale=$(grep -sHE '/(usr|opt|lib[^/]*|s?bin)/.* \(deleted\)$' /proc/[0-9]*/maps)
[ -z "$stale" ] || stale=$(printf '%s\n' "$stale" | sed -nE \
  's#^/proc/([0-9]+)/maps:[^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ +(/((usr|opt)/|lib[^/]*/|s?bin/).*) \(deleted\)$#\1 \2#p' | sort -u)
[ -z "$stale" ] || printf '%s\n' "$stale"
section owners
owners() {
  if [ "$manager" = rpm ]; then
    while read -r path; do rpm -qf --qf "%{NAME}: $path\n" "$path"; done | grep ': /'
  else xargs -d '\n' dpkg-query -S; fi
}
[ -z "$stale" ] || printf '%s\n' "$stale" | sed -E 's/^[0-9]+ //; s/(\.dpkg-(new|tmp)|;[0-9a-f]{8})$//' | sort -u |
  sed -nE 'p; s#^/usr(/(s?bin|lib[^/]*)/)#\1#p; t; s#^/(s?bin|lib[^/]*)/#/usr&#p' | owners
if has ss; then
  section sockets
  sockets=$(ss -lntupH)
  printf '%s\n' "$sockets"
else
  note 'there is no ss: listening sockets come from /proc/net'
  section sockets-proc
  for kind in tcp tcp6 udp udp6; do
    awk -v kind=$kind '$4 == (kind ~ /tcp/ ? "0A" : "07") { print kind, $2, $10 }' /proc/net/$kind
  done
  section socket-owners
  owners=$(find /proc/[0-9]*/fd -lname 'socket:*' -printf '%h %l\n' | sed -nE 's#^/proc/([0-9]+)/fd socket:\[([0-9]+)\]$#\1 \2#p')
  printf '%s\n' "$owners"
fi
# Lines of ss name processes by pid=, the others begin with one.
pids=$(printf '%s\n' "$sockets" "$owners" "$stale" | awk '
  /^[0-9]+ / && !seen[$1]++ { print $1 }
  { while (match($0, /pid=[0-9]+/)) {
      pid = substr($0, RSTART + 4, RLENGTH - 4); $0 = substr($0, RSTART + RLENGTH)
      if (!seen[pid]++) print pid } }')
section processes
# Processes of containers live in another pid namespace; they are not this host's own.
for pid in $pids; do
  [ "/proc/$pid/ns/pid" -ef /proc/self/ns/pid ] || continue
  unit=/
  while [ "$unit" = / ] && IFS=: read -r number controllers path; do
    case $number:$controllers in 0: | *:name=systemd) unit=$path ;; esac
  done <"/proc/$pid/cgroup"
  read -r command <"/proc/$pid/comm" && printf '%s\t%s\t%s\n' "$pid" "$unit" "$command"
done
section units
if [ -d /run/systemd/system ] && has systemctl; then
  systemctl list-units --all --type=service,timer --plain --no-legend --full ||
    note 'systemd did not list its services'
  # A unit is enabled by a link to it. Asking systemd costs a host more than all else it is asked.
  section links
  find /etc/systemd/system /run/systemd/system -type l -printf '%p %l\n'
else note 'there is no systemd: services are unknown'; fi
section crons
for name in cron-apt apticron yum-cron; do [ ! -e "/etc/cron.d/$name" ] || echo "$name"; done
