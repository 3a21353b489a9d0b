# $wanted: lines of NUMBER NAME ARCH VERSION SINCE; the changelog of each package, down to SINCE.
# Packages come through apt, checked against the signed index, unless patching left them in its cache.
# Nothing stays: neither this script's directory nor that of one that was killed.
cache=/var/lib/suture/cache
find /var/tmp -maxdepth 1 -name 'suture.??????' -user _apt -mmin +60 -exec rm -rf {} +
work=$(mktemp -d /var/tmp/suture.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM PIPE
chown _apt: "$work"
cd "$work" || exit 1

deb_path() {
  file=$1_$(printf '%s' "$3" | sed 's/:/%3a/g')_$2.deb
  if [ -f "$cache/$file" ]; then printf '%s/%s' "$cache" "$file"; else printf './%s' "$file"; fi
}
download() { apt-get -qq -o Acquire::Retries=2 -o APT::Get::AllowUnauthenticated=false download "$@" 2>&1; }

missing=$(printf '%s\n' "$wanted" | while read -r number name arch version since; do
  [ -f "$(deb_path "$name" "$arch" "$version")" ] || printf '%s:%s=%s\n' "$name" "$arch" "$version"
done | sed 's/:all=/=/')
if [ -n "$missing" ]; then
  # All at once; where that fails, one by one, so that one bad package costs no other.
  download $missing >/dev/null || for one in $missing; do
    errors="$errors
$one $(download "$one" | tail -n 2 | tr '\n' ' ')"
  done
fi

printf '%s\n' "$wanted" | while read -r number name arch version since; do
  deb=$(deb_path "$name" "$arch" "$version")
  if ! [ -f "$deb" ]; then
    section "failed $number"
    printf '%s\n' "$errors" | grep -F -e "$name=$version" -e "$name:$arch=$version" | tail -n 1
    continue
  fi
  for member in changelog.Debian.gz changelog.gz; do
    text=$(dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/share/doc/$name/$member" | zcat |
      awk -v since="($since)" '/^[^ ]/ && $2 == since { exit } { print }' | head -c 200000)
    [ -z "$text" ] || break
  done
  if [ -n "$text" ]; then section "changelog $number"; printf '%s\n' "$text"
  else section "failed $number"; echo "$name carries no changelog"; fi
done
