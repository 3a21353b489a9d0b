section stale
stale=$(grep -sHE '/(usr|opt|lib[^/]*|s?bin)/.* \(deleted\)$' /proc/[0-9]*/maps)
# With the processes come the files to look for in the packages: what dpkg has called them while it
# wrote them, and under both of their names where /usr is merged.
[ -z "$stale" ] || stale=$(printf '%s\n' "$stale" | awk '
  { pid = $1
    gsub(/^\/proc\/|\/maps:.*/, "", pid)
    sub(/^[^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ +/, "")
    sub(/ \(deleted\)$/, "") }
  !/^\/((usr|opt)\/|lib[^\/]*\/|s?bin\/)/ || seen[pid " " $0]++ { next }
  { print pid " " $0
    sub(/\.dpkg-(new|tmp)$|;[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]$/, "") }
  seen[$0]++ { next }
  { print
    if (/^\/(s?bin|lib[^\/]*)\//) print "/usr" $0
    if (/^\/usr\/(s?bin|lib[^\/]*)\//) print substr($0, 5) }')
pids=
paths=
set -f
IFS=$newline
for line in $stale; do
  case $line in /*) paths="$paths$line$newline" ;;
  *) pids="$pids ${line%% *}"
    printf '%s\n' "$line" ;;
  esac
done
unset IFS
set +f
section owners
owners() {
  if [ "$manager" = rpm ]; then
    while read -r path; do rpm -qf --qf "%{NAME}: $path\n" "$path"; done | grep ': /'
  elif read -r format </var/lib/dpkg/info/format && [ "$format" = 1 ]; then
    # As dpkg-query -S does, which reads the lists of all packages into memory.
    cd /var/lib/dpkg/info && grep -sHxFf - -- *.list
  else xargs -d '\n' dpkg-query -S; fi
}
[ -z "$paths" ] || printf '%s' "$paths" | owners
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
set -f
IFS=", $newline"
for word in $sockets; do
  case $word in pid=*) pids="$pids ${word#pid=}" ;; esac
done
IFS=$newline
for line in $owners; do pids="$pids ${line%% *}"; done
unset IFS
seen=' '
section processes
# Processes of containers live in another pid namespace; they are not this host's own.
for pid in $pids; do
  case $seen in *" $pid "*) continue ;; esac
  seen="$seen$pid "
  [ "/proc/$pid/ns/pid" -ef /proc/self/ns/pid ] || continue
  unit=/
  while [ "$unit" = / ] && IFS=: read -r number controllers path; do
    case $number:$controllers in 0: | *:name=systemd) unit=$path ;; esac
  done <"/proc/$pid/cgroup"
  read -r command <"/proc/$pid/comm" && printf '%s\t%s\t%s\n' "$pid" "$unit" "$command"
done
set +f
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
