# By what other scanners may know the host: its full name, its addresses, the ids of their agents.
section identity
has hostname && timeout 2 hostname -f | grep -F . | head -n 1 | sed 's/^/name /'
if has ip; then
  ip -o address show scope global |
    awk '$2 !~ /^(docker|br-|virbr|veth|cni|flannel|cali|lxc|lxd|podman|kube|dummy)/ {
      sub("/.*", "", $4); print "address", $4 }' | head -n 200
else note 'there is no ip command to say which addresses the host has'; fi
for file in /etc/tenable_tag /etc/qualys/hostid; do
  [ ! -r "$file" ] ||
    grep -oiE '[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}' "$file" | head -n 1 | sed 's/^/agent /'
done
