section uname
if read -r system </proc/sys/kernel/ostype && read -r release </proc/sys/kernel/osrelease; then :
else
  system=$(uname -s)
  release=$(uname -r)
fi
printf '%s\n' "$system" "$release"
while read -r key _ uid _ && [ "$key" != Uid: ]; do :; done </proc/self/status
[ "$key" = Uid: ] || uid=$(id -u)
printf '%s\n' "$uid"
section os
show() { while IFS= read -r line || [ -n "$line" ]; do printf '%s\n' "$line"; done <"$1"; }
show /etc/os-release || show /usr/lib/os-release || note 'there is no os-release file'
# An rpm system may have dpkg as a tool, and a Debian one rpm.
manager=
if [ -s /var/lib/dpkg/status ] && has dpkg-query && has apt-get; then manager=apt
elif has rpm && [ -n "$(rpm -q --whatprovides filesystem)" ]; then manager=rpm; fi
if [ "$system" != Linux ] || [ -z "$manager" ]; then
  section unsupported
  section end
  exit 0
fi
section boot
read -r boot </proc/sys/kernel/random/boot_id && printf '%s\n' "$boot" || note 'the boot id could not be read'
section container
if read -r container </run/systemd/container; then printf '%s\n' "$container"
elif has systemd-detect-virt; then systemd-detect-virt -c
elif [ -e /run/.containerenv ] || [ -e /.dockerenv ]; then echo container
else echo none; fi
section ntp
if [ -d /run/systemd/system ] && has busctl; then
  # As timedatectl asks, in less time. A bus that is there and silent keeps busctl for minutes.
  case $(timeout 2 busctl call org.freedesktop.timedate1 /org/freedesktop/timedate1 \
    org.freedesktop.DBus.Properties Get ss org.freedesktop.timedate1 NTPSynchronized) in
  *true) echo yes ;;
  *false) echo no ;;
  *) note 'whether the clock is synchronised could not be asked' ;;
  esac
else note 'there is no busctl to ask whether the clock is synchronised'; fi
section disks
boot=
[ ! -d /boot ] || boot=/boot
df -B1 --output=file,size,avail,iavail / /var $boot || note "not all file systems could be measured"
section reboot
[ ! -e /run/reboot-required ] && [ ! -e /run/reboot-needed ] || echo required
[ ! -e /run/reboot-required.pkgs ] || head -c 65536 /run/reboot-required.pkgs
