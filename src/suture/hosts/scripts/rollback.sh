# Takes a patch back from the return bundle: packages, configuration, marks, services. Safe to run
# again: what is as it was is left alone.
bundle=$root/tx/$RETURN_ID/return
[ -f "$bundle/complete" ] || fail "there is no complete return bundle in $bundle; restore this host from its backup"

# Versions that are neither the ones before nor the ones of the plan: somebody went on from there.
later_changes() {
    packages >"$TX_DIR/packages"
    plan_lines | awk '
        NR == FNR { version[$1] = $2; state[$1] = $3; next }
        { key = $1 ":" $2; gone = !(key in state) || state[key] == "config-files" }
        gone && $3 == "-" { next }
        gone { print key " was removed"; next }
        version[key] != $3 && version[key] != $4 { print key " is now " version[key] }
    ' "$TX_DIR/packages" - | head -n 5
}

# The old files of packages that are not as they were, and the new packages that have to go.
changed_files() {
    plan_lines | while read -r name arch before after sha256 size action; do
        [ "$before" = - ] && continue
        grep -qxF "$name:$arch $before installed ok" "$TX_DIR/packages" && continue
        printf '%s/packages/%s\n' "$bundle" "$(deb_name "$name" "$before" "$arch")"
    done
}

new_packages() {
    plan_lines | while read -r name arch before after sha256 size action; do
        [ "$before" = - ] && grep -q "^$name:$arch " "$TX_DIR/packages" && printf '%s:%s\n' "$name" "$arch"
    done
}

# apt does it in one step where that step removes nothing but what the patch brought in.
roll_back_with_apt() {
    # shellcheck disable=SC2086,SC2046
    set -- --allow-downgrades --allow-change-held-packages --no-install-recommends --purge \
        $files $(printf '%s' "$extra" | sed 's/$/-/')
    apt_install -s "$@" >"$TX_DIR/simulation" 2>&1 || return 1
    removes=$(awk '$1 == "Remv" || $1 == "Purg" { print $2 }' "$TX_DIR/simulation" | sed 's/:.*//' | sort -u)
    [ "$removes" = "$(printf '%s' "$extra" | sed 's/:.*//' | sort -u)" ] || return 1
    apt_install "$@"
}

# Where apt sees no way, as with a package that cannot be set up, dpkg is told exactly what to
# install. --force-depends: packages go one after another, and only the end has to fit together.
roll_back_with_dpkg() {
    # shellcheck disable=SC2086
    [ -z "$extra" ] || run_dpkg --force-depends,remove-reinstreq --purge $extra
    # shellcheck disable=SC2086
    [ -z "$files" ] || run_dpkg --force-downgrade,depends,breaks,conflicts,hold,confold,confdef --install $files
}

run_dpkg() { DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 dpkg "$@" 3>&- </dev/null; }

restore_packages() {
    packages >"$TX_DIR/packages"
    files=$(changed_files)
    extra=$(new_packages)
    [ -n "$files$extra" ] || return 0
    # A journal in there means that dpkg was cut off. apt would first have every package set up
    # that waits for it, the one to blame among them; dpkg just takes the journal in.
    if [ -n "$(ls /var/lib/dpkg/updates)" ]; then
        roll_back_with_dpkg
    else
        roll_back_with_apt || roll_back_with_dpkg
    fi
}

restore_configuration() {
    config_manifest "$bundle/config-roots" >"$TX_DIR/config-now"
    config_decisions "$TX_DIR/config-now" >"$TX_DIR/decisions"
    sed -n 's,^restore\t/,,p' "$TX_DIR/decisions" >"$TX_DIR/restore"
    sed -n 's,^remove\t,,p' "$TX_DIR/decisions" | sort -r | while IFS= read -r path; do
        if [ -d "$path" ] && [ ! -L "$path" ]; then rmdir "$path" 2>/dev/null; else rm -f "$path"; fi
    done
    [ ! -s "$TX_DIR/restore" ] ||
        tar -C / --numeric-owner --same-permissions --same-owner --xattrs --acls --no-recursion \
            --verbatim-files-from -T "$TX_DIR/restore" -xf "$bundle/config.tar" ||
        fail "configuration files could not be restored; see the log, then roll back again"
}

restore_marks() {
    apt-mark showauto | sort >"$TX_DIR/automatic"
    comm -23 "$bundle/automatic" "$TX_DIR/automatic" | xargs -r apt-mark auto >/dev/null
    comm -13 "$bundle/automatic" "$TX_DIR/automatic" | xargs -r apt-mark manual >/dev/null
    apt-mark showhold | sort >"$TX_DIR/held"
    comm -23 "$bundle/held" "$TX_DIR/held" | xargs -r apt-mark hold >/dev/null
    comm -13 "$bundle/held" "$TX_DIR/held" | xargs -r apt-mark unhold >/dev/null
}

own_units() {
    # shellcheck disable=SC2046
    dpkg-query -L $(plan_keys) 2>/dev/null |
        sed -n 's,^.*/systemd/system/\([^/@]*\.\(service\|socket\|timer\|path\)\)$,\1,p' | sort -u
}

# Whether units are enabled or masked came back with /etc; here follows whether they run.
restore_services() {
    has_systemd || return 0
    systemctl daemon-reload 3>&-
    own_units >"$TX_DIR/own"
    comm -12 "$bundle/active-units" "$TX_DIR/own" | while read -r unit; do
        systemctl reset-failed "$unit" 2>/dev/null
        [ ! -s "$TX_DIR/decisions" ] && systemctl --quiet is-active "$unit" && continue
        restartable "$unit" || continue
        systemctl restart "$unit" 3>&- || note "did not start" "$unit"
    done
    active_units >"$TX_DIR/active"
    comm -13 "$bundle/active-units" "$TX_DIR/active" | comm -12 - "$TX_DIR/own" |
        while read -r unit; do systemctl stop "$unit" 3>&-; done
    comm -23 "$bundle/active-units" "$TX_DIR/active" | while read -r unit; do
        systemctl start "$unit" 3>&- || note "did not start" "$unit"
    done
    restart_stale
}

unsafe=$(later_changes)
[ -z "$unsafe" ] || fail "the way back is not safe any more: $unsafe; packages were changed after this patch, so decide by hand"
(cd "$bundle" && sha256sum --quiet -c sums) || fail "the return bundle in $bundle is damaged; restore this host from its backup"
hold_off_updaters
held=$(wait_for_locks)
[ -z "$held" ] || fail "the package manager is still at work: $held; wait for it to finish, then roll back again"
if [ ! -f "$bundle/config-current" ]; then
    config_manifest "$bundle/config-roots" >"$bundle/config-current.new" &&
        mv "$bundle/config-current.new" "$bundle/config-current" || fail "no room in $root"
fi
printf 'changing\n' >&3
restore_packages
status=$?
restore_configuration
restore_marks
restore_services
each_control revert
report_package_errors
[ "$status" = 0 ] || fail "packages could not be put back (status $status): $(package_manager_errors)"
check "way back" pass "packages, configuration, marks, services and controls were put back"
exit 0
