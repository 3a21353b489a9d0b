section sshd
if has sshd; then
  said=
  set -f
  IFS=$newline
  for line in $(sshd -T); do
    case $line in
    permitrootlogin\ * | passwordauthentication\ * | permitemptypasswords\ * | \
      kbdinteractiveauthentication\ * | ciphers\ * | macs\ * | kexalgorithms\ *)
      said=yes
      printf '%s\n' "$line" ;;
    esac
  done
  unset IFS
  set +f
  [ -n "$said" ] || note 'the settings of sshd could not be read'
fi
section unauthenticated
case $mentions in */etc/apt/sources.list*)
  grep -sHE '^[[:space:]]*deb(-src)?[[:space:]]+\[[^]]*(trusted|allow-insecure)=yes' /etc/apt/sources.list /etc/apt/sources.list.d/*.list
  grep -sHiE '^(trusted|allow-insecure):[[:space:]]*yes' /etc/apt/sources.list.d/*.sources ;;
esac
for file in /etc/yum.repos.d/*.repo /etc/zypp/repos.d/*.repo; do
  [ ! -f "$file" ] || awk -F ' *= *' '
    function flush() { if (id != "" && on && unchecked) print FILENAME ": " id " gpgcheck=0"
      on = 1; unchecked = 0 }
    /^\[/ { flush(); id = $0 }
    $1 == "enabled" { on = $2 !~ /^(0|false|no|off)/ }
    $1 == "gpgcheck" { unchecked = $2 ~ /^(0|false|no|off)/ }
    END { flush() }' "$file"
done
case $settings in *'AllowUnauthenticated "'[ty1]* | *'Repositories "'[ty1]*)
  printf '%s\n' "$settings" | grep -E '^(APT::Get::AllowUnauthenticated|Acquire::AllowInsecureRepositories|Acquire::AllowWeakRepositories) "(true|yes|1)"' ;;
esac
