[ -r /var/lib/apt/extended_states ] || note 'apt has no record of automatically installed packages'
section indexes
printf 'now %s\n' "${now%.*}"
found=$(find -L /var/lib/apt/periodic/update-success-stamp /var/lib/suture/indexes \
  /etc/apt /etc/machine-id /etc/os-release /var/lib/apt/extended_states /var/lib/apt/lists \
  /var/lib/dpkg/arch /var/lib/dpkg/status /var/lib/dpkg/updates \
  \( -name update-success-stamp -o -path /var/lib/suture/indexes \) -printf 'refreshed %Ts\n' -o \
  -printf '%p %i %s %T@ %C@\n' -newerct '2 seconds ago' -printf 'young\n')
files=
lists=
set -f
IFS=$newline
for line in $found; do
  case $line in
  refreshed*)
    printf '%s\n' "$line"
    continue ;;
  /var/lib/apt/lists/*/*) ;;
  /var/lib/apt/lists/*Release\ * | /var/lib/apt/lists/*_Packages*)
    size=${line#* * }
    lists="$lists ${size%% *} ${line%% *}"
    published=${line% *}
    published=${published##* }
    printf 'list %s\n' "${published%.*}" ;;
  esac
  files="$files$line$newline"
done
unset IFS
set +f
# What apt would say of its settings costs a run of it: where no file mentions those that matter
# here, they are as apt comes, and its settings stay empty.
mentions=$(grep -RlsiE 'dir|architectures|allow-?(unauthenticated|insecure|weak)|trusted[=:]|#(include|clear)' \
  /etc/apt/apt.conf /etc/apt/apt.conf.d /etc/apt/sources.list /etc/apt/sources.list.d)
settings=
places=10
case ${APT_CONFIG:+/etc/apt/apt.conf}$mentions in */etc/apt/apt.conf*)
  settings=$(apt-config dump)
  places=$(printf '%s\n' "$settings" | grep -cxF -e 'Dir "/";' -e 'Dir::State "var/lib/apt";' \
    -e 'Dir::State::lists "lists/";' -e 'Dir::State::status "/var/lib/dpkg/status";' \
    -e 'Dir::State::extended_states "extended_states";' -e 'Dir::Etc "etc/apt";' \
    -e 'Dir::Etc::sourcelist "sources.list";' -e 'Dir::Etc::sourceparts "sources.list.d";' \
    -e 'Dir::Etc::preferences "preferences";' -e 'Dir::Etc::preferencesparts "preferences.d";') ;;
esac
# The stamp is a hash of all that read_packages reads, as the file system describes it, and of who
# makes what of it. Nobody can set a file's change time, and where one is so young that the clock
# might not tell the next change apart there is no stamp; nor where apt keeps its files elsewhere.
# Who knows no stamp gets what it is made of, and can hash it.
basis=
case $settings in *RootDir*) places=moved ;; esac
case $places:$files in
*young*) ;;
10:*/var/lib/dpkg/status*) basis="$reader$newline$settings$newline$files" ;;
esac
stamp=
if [ -n "$known" ] && [ -n "$basis" ]; then
  stamp=$(printf '%s\n' "$basis" | sha256sum)
  stamp=${stamp%% *}
fi
if [ -n "$known" ] && [ "$stamp" = "$known" ]; then
  section unchanged
  section stamp
  printf '%s\n' "$stamp"
else
  read_packages
  section basis
  printf '%s\n' "$basis"
fi
