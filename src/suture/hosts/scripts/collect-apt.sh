section automatic
if [ -r /var/lib/apt/extended_states ]; then
  awk '$1 == "Package:" { name = $2 } $1 == "Architecture:" { arch = $2 }
    $1 == "Auto-Installed:" && $2 == 1 { print name ":" arch }' /var/lib/apt/extended_states
else note 'apt has no record of automatically installed packages'; fi
section indexes
printf 'now %s\n' "${now%.*}"
find /var/lib/apt/lists /var/lib/apt/periodic/update-success-stamp /var/lib/suture/indexes -maxdepth 1 -type f \
  \( -name '*Release' -o -name '*_Packages*' \) -printf 'list %Ts\n' -o \
  \( -name update-success-stamp -o -name indexes \) -printf 'refreshed %Ts\n'
# The stamp is of all that read_packages reads, as the file system describes it, and of who makes
# what of it. Nobody can set a file's change time, and where one is so young that the clock might
# not tell the next change apart there is no stamp; nor where apt keeps its files elsewhere.
#
# What apt would say of its settings costs a run of it: where no file mentions those that matter
# here, they are as apt comes, and its settings stay empty.
settings=
places=10
if [ -n "${APT_CONFIG-}" ] || grep -rqsiE 'dir|architectures|allow(unauthenticated|insecure|weak)|#(include|clear)' \
  /etc/apt/apt.conf /etc/apt/apt.conf.d; then
  settings=$(apt-config dump)
  places=$(printf '%s\n' "$settings" | grep -cxF -e 'Dir "/";' -e 'Dir::State "var/lib/apt";' \
    -e 'Dir::State::lists "lists/";' -e 'Dir::State::status "/var/lib/dpkg/status";' \
    -e 'Dir::State::extended_states "extended_states";' -e 'Dir::Etc "etc/apt";' \
    -e 'Dir::Etc::sourcelist "sources.list";' -e 'Dir::Etc::sourceparts "sources.list.d";' \
    -e 'Dir::Etc::preferences "preferences";' -e 'Dir::Etc::preferencesparts "preferences.d";')
fi
stamp=
files=$(find -L /etc/apt /etc/machine-id /etc/os-release /var/lib/apt/extended_states /var/lib/apt/lists \
  /var/lib/dpkg/arch /var/lib/dpkg/status /var/lib/dpkg/updates \
  -printf '%p %i %s %T@ %C@\n' -newerct '2 seconds ago' -printf 'young\n')
case $settings in *RootDir*) places=moved ;; esac
case $places:$files in
*young*) ;;
10:*) stamp=$(printf '%s\n' "$reader" "$settings" "$files" | sha256sum)
  stamp=${stamp%% *} ;;
esac
if [ -n "$known" ] && [ "$stamp" = "$known" ]; then section unchanged; else read_packages; fi
section stamp
printf '%s\n' "$stamp"
