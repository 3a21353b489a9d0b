# By what other scanners may know the host: its full name, its addresses, the ids of their agents.
section identity
name=$(has hostname && timeout 2 hostname -f)
case $name in *.*) printf 'name %s\n' "$name" ;; esac
if has ip; then
  count=0
  ip -o address show scope global | while read -r _ device _ address _; do
    case $device in docker* | br-* | virbr* | veth* | cni* | flannel* | cali* | lxc* | lxd* | podman* | kube* | dummy*) continue ;; esac
    [ $((count += 1)) -le 200 ] || break
    printf 'address %s\n' "${address%%/*}"
  done
else note 'there is no ip command to say which addresses the host has'; fi
for file in /etc/tenable_tag /etc/qualys/hostid; do
  [ ! -r "$file" ] ||
    grep -oiE '[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}' "$file" | head -n 1 | sed 's/^/agent /'
done
