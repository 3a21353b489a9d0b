section arch
uname -m
section rpm
fields='%{NAME}\t%|EPOCH?{%{EPOCH}}:{0}|\t%{VERSION}\t%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t%{VENDOR}'
# An rpm that knows no modules refuses their tag.
rpm -qa --qf "$fields\t%{MODULARITYLABEL}\n" || rpm -qa --qf "$fields\t\n"
section repositories
for file in /etc/yum.repos.d/*.repo /etc/zypp/repos.d/*.repo; do
  [ ! -f "$file" ] || awk -F ' *= *' '
    function flush() { if (id != "" && on) print id "\t" name; name = ""; on = 1 }
    /^\[/ { flush(); id = $0; gsub(/^\[|\].*$/, "", id) }
    $1 == "name" { name = $2 }
    $1 == "enabled" { on = $2 !~ /^(0|false|no|off)/ }
    END { flush() }' "$file"
done
section indexes
printf 'now %s\n' "${now%.*}"
find /var/cache/dnf /var/cache/yum /var/cache/libdnf5 /var/cache/zypp/raw -name repomd.xml -printf 'list %Ts\n' |
  sort | tail -n 1
