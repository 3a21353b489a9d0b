section sshd
if has sshd; then
  sshd -T 2>/dev/null | grep -E '^(permitrootlogin|passwordauthentication|permitemptypasswords|kbdinteractiveauthentication|ciphers|macs|kexalgorithms) ' ||
    note 'the settings of sshd could not be read'
fi
section unauthenticated
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [ ! -e "$file" ] || grep -HE '^[[:space:]]*deb(-src)?[[:space:]]+\[[^]]*(trusted|allow-insecure)=yes' "$file"
done
for file in /etc/apt/sources.list.d/*.sources; do
  [ ! -e "$file" ] || grep -HiE '^(trusted|allow-insecure):[[:space:]]*yes' "$file"
done
apt-config dump | grep -E '^(APT::Get::AllowUnauthenticated|Acquire::AllowInsecureRepositories|Acquire::AllowWeakRepositories) "(true|yes|1)"'
