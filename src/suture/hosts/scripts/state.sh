# What of a host's configuration and services is recorded before a patch and put back after.
# Beside /etc: what maintainer scripts keep about it elsewhere, and outside /etc the conffiles of
# $PLAN and the files of controls.
config_roots() {
    for path in /etc /var/lib/ucf /var/lib/dpkg/alternatives \
        /var/lib/systemd/deb-systemd-helper-enabled /var/lib/systemd/deb-systemd-helper-masked \
        $(conffiles_elsewhere) $(each_control file); do
        [ ! -e "$path" ] || printf '%s\n' "$path"
    done
}

conffiles_elsewhere() {
    [ -n "$PLAN" ] || return 0
    # shellcheck disable=SC2046
    dpkg-query -W -f '${Conffiles}\n' $(plan_keys) 2>/dev/null |
        awk '$1 ~ "^/" && $1 !~ "^/etc/" { print $1 }'
}

plan_keys() { plan_lines | awk '{ print $1 ":" $2 }'; }

# config_manifest ROOTS-FILE: type:mode:uid:gid:content, a tab, the path; sorted. Content is the
# sha256 of a file, the target of a link. Names with a tab or a line end are left out, and so is what
# LVM notes of its own work, snapshots and their merging included.
config_manifest() {
    tr '\n' '\0' <"$1" | xargs -0 sh -c 'find "$@" -type f -print0' sh 2>/dev/null |
        xargs -0 -r sha256sum >"$TX_DIR/hashes" 2>/dev/null
    tr '\n' '\0' <"$1" |
        xargs -0 sh -c 'find "$@" ! -name "*[[:cntrl:]]*" -printf "%y:%m:%U:%G\t%l\t%p\n"' sh |
        awk -F '\t' '
            NR == FNR { at = index($0, " "); sum[substr($0, at + 2)] = substr($0, 1, at - 1); next }
            $3 ~ "/etc/lvm/(archive|backup)/" { next }
            { print $1 ":" ($1 ~ /^f/ ? sum[$3] : $2) "\t" $3 }' "$TX_DIR/hashes" - |
        sort -t "$(printf '\t')" -k 2
    rm -f "$TX_DIR/hashes"
}

unit_files() {
    has_systemd || return 0
    systemctl list-unit-files --no-legend --plain --type=service,socket,timer,path |
        awk '{ print $1, $2 }' | sort
}

active_units() {
    has_systemd || return 0
    systemctl list-units --no-legend --plain --type=service,socket,timer,path --state=active |
        awk '$1 !~ /^(suture-[0-9a-f]+[.]|(suture-twin|sshd?)@|user@|session-|systemd-|run-)/ { print $1 }' | sort
}

# Units that have failed, and those that fail and are started again.
failed_units() {
    has_systemd || return 0
    {
        systemctl list-units --no-legend --plain --state=failed | awk '{ print $1 }'
        restarting_units
    } | sort
}

restarting_units() {
    has_systemd || return 0
    systemctl list-units --no-legend --plain --state=activating | while read -r unit _ _ phase _; do
        case $phase:$(systemctl show -p NRestarts --value -- "$unit" 2>/dev/null) in
        auto-restart:* | *:[1-9]*) printf '%s\n' "$unit" ;;
        esac
    done
}

# settle_units UNTIL: gives units that are started again the time to come up.
settle_units() {
    while [ "$(date +%s)" -lt "$1" ] && [ -n "$(restarting_units)" ]; do
        sleep 1
    done
}

# The formats that databases wrote into their data directories; a newer one is not read by an older
# program. One line each: the file, and what it says.
data_formats() {
    for file in /var/lib/mysql/mariadb_upgrade_info /var/lib/mysql/mysql_upgrade_info \
        /var/lib/postgresql/*/*/PG_VERSION /var/lib/redis/dump.rdb /var/lib/redis/*/dump.rdb; do
        [ -f "$file" ] || continue
        printf '%s\t%s\n' "$file" "$(head -c 64 "$file" | tr -cd 'A-Za-z0-9.+~-' | cut -c1-40 | data_format_of "$file")"
    done
}

# Of a Redis dump, its first nine characters are the format.
data_format_of() { case $1 in *.rdb) cut -c1-9 ;; *) cat ;; esac; }
