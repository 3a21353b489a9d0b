# Shared by every script: paths, results on descriptor 3, what dpkg has recorded.
set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
root=/var/lib/suture
cache=$root/cache

one_line() { tr '\n\t\r' ';  ' | cut -c1-900; }

# check NAME pass|fail|inconclusive DETAIL
check() { printf 'check\t%s\t%s\t%s\n' "$1" "$2" "$(printf '%s' "$3" | one_line)" >&3; }

note() { printf 'note\t%s\t%s\n' "$1" "$(printf '%s' "$2" | one_line)" >&3; }

fail() {
    printf 'reason\t%s\n' "$(printf '%s' "$1" | one_line)" >&3
    printf 'suture: %s\n' "$1"
    exit 1
}

# The lines of $PLAN; none where controls are all that is planned.
plan_lines() { [ -z "$PLAN" ] || printf '%s\n' "$PLAN"; }

# Every package that dpkg knows, one a line, in a stable order: key version status error-flag.
packages() {
    dpkg-query -W -f '${Package}:${Architecture} ${Version} ${db:Status-Status} ${db:Status-Eflag}\n' |
        grep -v ' not-installed ' | sort
}

# The file name that apt gives to a downloaded package: deb_name PACKAGE VERSION ARCH
deb_name() {
    case $2 in
    *:*) printf '%s_%s%%3a%s_%s.deb' "$1" "${2%%:*}" "${2#*:}" "$3" ;;
    *) printf '%s_%s_%s.deb' "$1" "$2" "$3" ;;
    esac
}

# need_space DIRECTORY BYTES PURPOSE
need_space() {
    free_kib=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
    need_kib=$((($2 + 1023) / 1024))
    [ "$free_kib" -ge "$need_kib" ] ||
        fail "disk full: $3 needs $((need_kib / 1024)) MiB on $1, $((free_kib / 1024)) MiB are free; make room and try again"
}

# debian:12, as plans name it
release() { (. /etc/os-release && printf '%s:%s' "${ID:-}" "${VERSION_ID:-}"); }

has_systemd() { [ -d /run/systemd/system ]; }
