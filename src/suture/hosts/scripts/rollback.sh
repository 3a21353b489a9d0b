# Takes a patch back from the return bundle: packages, configuration, marks, services. Safe to run
# again: what is as it was is left alone. Asked for by a person (ASKED=1), perhaps days later, it
# refuses what has become unsafe, and leaves alone what others did since.

# apt does it in one step where that step removes nothing but what the patch brought in.
roll_back_with_apt() {
    simulate_way_back || return 1
    # shellcheck disable=SC2086,SC2046
    apt_install --allow-downgrades --allow-change-held-packages --no-install-recommends --purge \
        $files $(printf '%s' "$extra" | sed 's/$/-/')
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
    what_goes_back
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
    decide_configuration
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
    comm -23 "$bundle/automatic" "$TX_DIR/automatic" | what_we_mark | xargs -r apt-mark auto >/dev/null
    comm -13 "$bundle/automatic" "$TX_DIR/automatic" | what_we_mark | xargs -r apt-mark manual >/dev/null
    apt-mark showhold | sort >"$TX_DIR/held"
    comm -23 "$bundle/held" "$TX_DIR/held" | what_we_mark | xargs -r apt-mark hold >/dev/null
    comm -13 "$bundle/held" "$TX_DIR/held" | what_we_mark | xargs -r apt-mark unhold >/dev/null
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
    comm -23 "$bundle/active-units" "$TX_DIR/active" | units_to_run | while read -r unit; do
        systemctl start "$unit" 3>&- || note "did not start" "$unit"
    done
    restart_stale
}

# One that came to its end is over: this one begins anew.
forget_the_last_one() { [ ! -f "$bundle/returned" ] || rm -f "$bundle/config-current" "$bundle/returned"; }

# The state at the beginning, once: a second try finds the host half way.
remember_now() {
    [ ! -f "$bundle/config-current" ] || return 0
    cp "$TX_DIR/packages" "$bundle/packages-current" && active_units >"$bundle/active-current" &&
        cp "$TX_DIR/config-now" "$bundle/config-current.new" && sync "$bundle/config-current.new" &&
        mv "$bundle/config-current.new" "$bundle/config-current" || fail "no room in $root"
}

refuse_unsafe() {
    missing=$(no_bundle)
    [ -z "$missing" ] || fail "$missing; restore this host from its backup"
    forget_the_last_one
    decide_configuration
    if [ "$ASKED" = 1 ]; then
        what_goes_back
        refused=$(refusals)
        [ -z "$refused" ] || fail "the way back is not safe any more: $(printf '%s\n' "$refused" | cut -f2 | sed '$!s/$/;/')"
    else
        unsafe=$(later_changes)
        [ -z "$unsafe" ] || fail "the way back is not safe any more: $unsafe; packages were changed after this patch, so decide by hand"
    fi
}

packages >"$TX_DIR/packages"
refuse_unsafe
hold_off_updaters
held=$(wait_for_locks)
[ -z "$held" ] || fail "the package manager is still at work: $held; wait for it to finish, then roll back again"
need_space_for_data
remember_now
printf 'changing\n' >&3
restore_packages
status=$?
restore_configuration
restore_marks
restore_directories
restore_services
restore_dumps
each_control revert
report_package_errors
[ "$status" = 0 ] || fail "packages could not be put back (status $status): $(package_manager_errors)"
: >"$bundle/returned"
check "way back" pass "packages, configuration, marks, services and controls were put back"
exit 0
