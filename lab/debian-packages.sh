#!/usr/bin/env bash
# Installs what the lab needs, and the packages that are its arguments, from the machine's own
# archive, where they are missing. Where it cannot (no root, another distribution) it says what is
# missing and succeeds: the tests then skip by name, the demo shows its read-only part.
set -euo pipefail

needed=(mmdebstrap systemd-container openssh-client dpkg util-linux mount gzip iproute2 gnupg
  ca-certificates "$@")

missing=()
for package in "${needed[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
    missing+=("$package")
done
# Package lists tell where the archives are; a fresh image has none.
lists=$(apt-get indextargets --format '$(ORIGIN)' 'Created-By: Packages' 2>/dev/null | head -n 1)
[ "${#missing[@]}" -gt 0 ] || [ -z "$lists" ] || exit 0

# shellcheck source=/dev/null
distribution=$(. /etc/os-release 2>/dev/null && echo "${ID:-unknown}") || distribution=unknown
case $distribution in
debian | ubuntu) ;;
*)
  echo "The lab runs on Debian or Ubuntu, this is $distribution: there will be no real hosts."
  exit 0
  ;;
esac
if [ "$(id -u)" != 0 ]; then
  echo "The lab needs root${missing:+ and these packages: ${missing[*]}}: there will be no real hosts."
  echo "  To have them: run as root${missing:+ after: apt-get install --no-install-recommends ${missing[*]}}"
  exit 0
fi

# Nothing that comes along may start a service on this machine; put back what was there.
policy=/usr/sbin/policy-rc.d
kept=
restore() {
  rm -f "$policy"
  [ -z "$kept" ] || mv "$kept" "$policy"
}
trap restore EXIT
if [ -e "$policy" ] || [ -L "$policy" ]; then
  kept=$policy.suture-lab
  mv "$policy" "$kept"
fi
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
echo "Refreshing the package lists"
apt-get update -qq
if [ "${#missing[@]}" -gt 0 ]; then
  case " ${missing[*]} " in
  *" openssh-server "*) # the tests run one of their own; this machine's stays off after a reboot, too
    mkdir -p /etc/ssh
    touch /etc/ssh/sshd_not_to_be_run
    ;;
  esac
  case " ${missing[*]} " in
  *" postgresql "*) # the tests make their own cluster; without one Debian has none to start at boot
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
      echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    ;;
  esac
  echo "Installing for the lab: ${missing[*]}"
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
