section stale
stale=$(grep -sH ' (deleted)$' /proc/[0-9]*/maps | sed -nE \
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
  pids=$(printf '%s\n' "$sockets" | grep -o 'pid=[0-9]*' | cut -d= -f2)
else
  note 'there is no ss: listening sockets come from /proc/net'
  section sockets-proc
  for kind in tcp tcp6 udp udp6; do
    awk -v kind=$kind '$4 == (kind ~ /tcp/ ? "0A" : "07") { print kind, $2, $10 }' /proc/net/$kind
  done
  section socket-owners
  owners=$(find /proc/[0-9]*/fd -lname 'socket:*' -printf '%h %l\n' | sed -nE 's#^/proc/([0-9]+)/fd socket:\[([0-9]+)\]$#\1 \2#p')
  printf '%s\n' "$owners"
  pids=$(printf '%s\n' "$owners" | cut -d ' ' -f 1)
fi
pids=$(printf '%s\n' $pids "$stale" | cut -d ' ' -f 1 | sort -un)
section processes
# Processes of containers live in another pid namespace; they are not this host's own.
own=$(readlink /proc/self/ns/pid)
for pid in $pids; do
  [ "$(readlink "/proc/$pid/ns/pid")" = "$own" ] || continue
  unit=$(sed -nE 's/^(0:|[0-9]+:name=systemd)://p' "/proc/$pid/cgroup" | sort -r | head -n 1)
  read -r command <"/proc/$pid/comm" && printf '%s\t%s\t%s\n' "$pid" "$unit" "$command"
done
section services
if [ -d /run/systemd/system ] && has systemctl; then
  systemctl show --all -p Id -p LoadState -p ActiveState -p SubState -p UnitFileState '*.service' \
    apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service packagekit.service \
    packagekit-offline-update.service landscape-client.service dnf-automatic.timer \
    dnf-automatic-install.timer dnf5-automatic.timer || note 'systemd did not list its services'
else note 'there is no systemd: services are unknown'; fi
section crons
for name in cron-apt apticron yum-cron; do [ ! -e "/etc/cron.d/$name" ] || echo "$name"; done
