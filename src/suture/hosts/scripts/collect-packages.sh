# The packages' part of an inventory: what is installed, and what apt has on offer for it.
read_packages() {
set -f
section packages
packages=$(dpkg-query -W -f='${Package}\t${Architecture}\t${Version}\t${source:Package}\t${source:Version}\t${db:Status-Want}\t${db:Status-Status}\t${db:Status-Eflag}\t${Provides}\n')
printf '%s\n' "$packages"
section automatic
states=/var/lib/apt/extended_states
[ -r "$states" ] || states=
# A line of what is installed, then what apt installed by itself.
IFS=$newline
set -- $(printf '%s\n' "$packages" | awk -F '[\t ]' '
  NR == 1 { printf "names" }
  NR == FNR { if ($7 != "config-files" && $7 != "not-installed") printf " %s:%s", $1, $2; next }
  FNR == 1 { print "" }
  $1 == "Package:" { name = $2 } $1 == "Architecture:" { arch = $2 }
  $1 == "Auto-Installed:" && $2 == 1 { print name ":" arch }' - $states)
unset IFS
names=${1#names}
[ $# = 0 ] || shift
printf '%s\n' "$@"
section archs
native=
for name in $names; do
  # dpkg is of the architecture that it takes for the host's.
  case $name in dpkg:*) native=${name#*:} ;; esac
done
[ -n "$native" ] || native=$(dpkg --print-architecture)
archs=$native
# dpkg has no such file before the first foreign architecture is added.
[ ! -r /var/lib/dpkg/arch ] || while read -r arch; do
  [ "$arch" = "$native" ] || archs="$archs $arch"
done </var/lib/dpkg/arch
printf '%s\n' $archs
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
# apt-cache policy goes through all packages of all archives to find the pinned ones, which without
# preferences there cannot be. What it says besides, of each archive, is in the version table of a
# package of it: so it is asked for the first of each list as well.
pins=yes
case $files in
*'/etc/apt/preferences '* | */etc/apt/preferences.d/*) ;;
*) [ "$places" != 10 ] || pins= ;;
esac
probes=
for list in $lists; do
  case $list in *_binary-*_Packages) ;; *) continue ;; esac
  arch=${list##*_binary-}
  arch=${arch%_Packages}
  [ "$arch" != all ] || arch=$native
  # An archive may call it anything, but nothing that apt takes for an option.
  read -r key name _ <"$list" || continue
  case $key$name in Package:[a-z0-9]*) ;; *) continue ;; esac
  case "$names " in *" $name:$arch "* | *" $name:all "*) ;; *) probes="$probes $name:$arch" ;; esac
done
policy=$(apt-cache $options policy $names $probes |
  awk -v native="$native" -v probes="$probes" -v lists="$lists" "$reduce_policy")
IFS=$newline
set -- $policy
unset IFS
newer=${1#offers }
archives=${2#archives}
sources=${3#lists}
[ $# -lt 3 ] || shift 3
section archives
if [ -n "$pins" ]; then apt-cache $options policy
elif [ -n "$archives" ]; then
  IFS='	'
  printf '%s\n' $archives
  unset IFS
else
  apt-get $options indextargets --format ' 500 $(DESCRIPTION)
     release o=$(ORIGIN),a=$(SUITE),n=$(CODENAME),l=$(LABEL),c=$(COMPONENT)' 'Created-By: Packages'
fi || { note 'apt did not list its archives'; basis=; }
section policy
printf '%s\n' "$@"
# Working out a full upgrade costs more than all the rest, and tells only what would be new or is
# phased. So apt is asked where a newer version is phased or foreign, or depends on a name that no
# package of the native architecture has or provides.
asked=
case $newer in yes*)
  asked=yes
  newer=${newer#yes} ;;
esac
offers=
missing=2
if [ -n "$newer" ] && [ -n "$sources" ]; then
  offers=$(printf '%s\n' "$packages" "$policy" |
    awk -v native="$native" "$describe" FS='\t' - RS= FS='\n' $sources)
  missing=$?
fi
if [ -n "$newer" ] && [ "$missing" = 2 ]; then
  offers=$({ printf '%s\n' "$packages"; apt-cache $options show $newer; } |
    awk -F '\t' -v native="$native" "$describe")
  missing=$?
fi
[ "$missing" != 0 ] || asked=yes
section upgrade
upgrade=done
new=
if [ -n "$asked" ]; then
  upgrade=$(apt-get $options --print-uris --assume-no -V dist-upgrade | awk '
    /^[^ ]/ { what = "" }
    /^The following NEW packages will be installed:/ { what = "new"; next }
    /^The following packages will be REMOVED:/ { what = "removed"; next }
    /phasing:$/ { what = "phased"; next }
    what != "" && /^ +[^ ]/ { gsub(/[()]/, ""); sub(/\*$/, "", $1); print what "\t" $1 "\t" $2 }
    /^[0-9]+ upgraded, / { print "done" }')
  new=$(printf '%s\n' "$upgrade" | sed -n 's/^new\t\([^\t]*\)\t\(.*\)/\1=\2/p')
fi
printf '%s\n' "$upgrade"
section policy-new
[ -z "$new" ] || printf '%s\n' "$new" | cut -d = -f 1 | xargs apt-cache $options policy |
  awk "$reduce_policy" | tail -n +4
section available
printf '%s\n' "$offers"
[ -z "$new" ] || printf '%s\n' "$new" | xargs apt-cache $options show | awk -F '\t' "$describe"
set +f
}
