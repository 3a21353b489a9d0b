# The packages' part of an inventory: what is installed, and what apt has on offer for it.
read_packages() {
set -f
section archs
native=$(dpkg --print-architecture)
archs=$native
# dpkg has no such file before the first foreign architecture is added.
[ ! -r /var/lib/dpkg/arch ] || while read -r arch; do
  [ "$arch" = "$native" ] || archs="$archs $arch"
done </var/lib/dpkg/arch
printf '%s\n' $archs
section packages
packages=$(dpkg-query -W -f='${Package}\t${Architecture}\t${Version}\t${source:Package}\t${source:Version}\t${db:Status-Want}\t${db:Status-Status}\t${db:Status-Eflag}\t${Provides}\n')
printf '%s\n' "$packages"
# What every run of apt would find out again: the architectures by a run of dpkg, and which
# translations and compressed lists there are by thousands of looks for files, where there are none.
options=
for arch in $archs; do
  case $settings in '' | *"APT::Architectures:: \"$arch\";"*) options="$options -o APT::Architectures::=$arch" ;; esac
done
case $files in
*_Translation-*) ;;
*) options="$options -o Acquire::Languages=none" ;;
esac
case $files in
*_Packages.*) ;;
*) for kind in xz bz2 lzma gz lz4 zst; do
    options="$options -o Acquire::CompressionTypes::$kind=none"
  done ;;
esac
section archives
# apt-cache policy goes through all packages of all archives to find the pinned ones, which without
# preferences there cannot be. What it says besides, of each archive, is known without the packages.
pins=yes
case $files in
*'/etc/apt/preferences '* | */etc/apt/preferences.d/*) ;;
*) [ "$places" != 10 ] || pins= ;;
esac
if [ -n "$pins" ]; then apt-cache $options policy
else
  apt-get $options indextargets --format ' 500 $(DESCRIPTION)
     release o=$(ORIGIN),a=$(SUITE),n=$(CODENAME),l=$(LABEL),c=$(COMPONENT)' 'Created-By: Packages'
fi || { note 'apt did not list its archives'; stamp=; }
section policy
# For each installed package: P name candidate installed sources, with a line N for each newer
# version; sources are numbers into the lines S.
reduce_policy='
  function flush(   i) {
    if (name == "" ) return
    printf "P\t%s\t%s\t%s\t%s\n", name, candidate, installed, other
    for (i = 1; i <= newer; i++) printf "N\t%s\t%s\t%s\t%s\n", name, version[i], phased[i], from[i]
  }
  /^[^ ]/ { flush(); name = substr($1, 1, length($1) - 1)
    candidate = installed = other = ""; newer = 0; where = "newer"; next }
  /^  Candidate: / { candidate = $2; next }
  /^ \*\*\* / { where = "installed"; next }
  /^     [^ ]/ { if (where == "newer") { newer++; version[newer] = $1; from[newer] = ""
      phased[newer] = match($0, /phased [0-9]+%/) ? substr($0, RSTART + 7, RLENGTH - 8) : "" }
    else where = "older"; next }
  /^       +-?[0-9]+ / { line = $0; sub(/^ +-?[0-9]+ /, "", line)
    if (!(line in known)) { known[line] = ++sources; text[sources] = line }
    if (where == "newer") from[newer] = from[newer] " " known[line]
    else if (where == "installed") installed = installed " " known[line]
    if (where != "installed" && index(other " ", " " known[line] " ") == 0) other = other " " known[line]; next }
  END { flush(); for (i = 1; i <= sources; i++) printf "S\t%d\t%s\n", i, text[i] }'
names=$(printf '%s\n' "$packages" |
  awk -F '\t' '$7 != "config-files" && $7 != "not-installed" { print $1 ":" $2 }')
policy=$(apt-cache $options policy $names | awk "$reduce_policy")
printf '%s\n' "$policy"
describe='
  /^$/ { print ""; next }
  /^(Package|Version|Architecture|Source|Depends|Pre-Depends|Breaks|Conflicts|Provides|Replaces|Essential|Filename|Size|Installed-Size|SHA256|Phased-Update-Percentage): /'
newer=$(printf '%s\n' "$policy" | awk -F '\t' '$1 == "N" { print $2 "=" $3 }')
offers=$([ -z "$newer" ] || apt-cache $options show $newer | awk "$describe")
# Working out a full upgrade costs more than all the rest, and tells only what would be new or is
# phased. So apt is asked where a newer version is phased or foreign, or depends on a name that no
# package of the native architecture has or provides.
upgrade_matters() {
  printf '%s\n' "$policy" "$packages" "$offers" | awk -F '\t' -v native="$native" '
    function bare(name) { sub(/[ :(].*/, "", name); return name }
    $1 == "N" && ($2 ~ /:/ || $4 != "") { matters = 1 }
    NF == 9 && ($2 == native || $2 == "all") && $7 != "config-files" && $7 != "not-installed" {
      count = split($1 ", " $9, names, /, */)
      for (i = 1; i <= count; i++) have[bare(names[i])] }
    /^(Pre-)?Depends: / { sub(/^[^ ]* /, ""); groups = split($0, group, / *, */)
      for (i = 1; i <= groups; i++) { met = 0; count = split(group[i], names, / *[|] */)
        for (j = 1; j <= count; j++) if (bare(names[j]) in have) met = 1
        if (!met) matters = 1 } }
    END { exit !matters }'
}
section upgrade
if [ -n "$newer" ] && upgrade_matters; then
  upgrade=$(apt-get $options --print-uris --assume-no -V dist-upgrade | awk '
    /^[^ ]/ { what = "" }
    /^The following NEW packages will be installed:/ { what = "new"; next }
    /^The following packages will be REMOVED:/ { what = "removed"; next }
    /phasing:$/ { what = "phased"; next }
    what != "" && /^ +[^ ]/ { gsub(/[()]/, ""); sub(/\*$/, "", $1); print what "\t" $1 "\t" $2 }
    /^[0-9]+ upgraded, / { print "done" }')
  new=$(printf '%s\n' "$upgrade" | sed -n 's/^new\t\([^\t]*\)\t\(.*\)/\1=\2/p')
else
  upgrade=done
  new=
fi
printf '%s\n' "$upgrade"
section policy-new
[ -z "$new" ] || printf '%s\n' "$new" | cut -d = -f 1 | xargs apt-cache $options policy | awk "$reduce_policy"
section available
printf '%s\n' "$offers"
[ -z "$new" ] || printf '%s\n' "$new" | xargs apt-cache $options show | awk "$describe"
set +f
}
