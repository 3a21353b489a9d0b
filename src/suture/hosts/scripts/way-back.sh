# Whether the way back of $PLAN is open, and what it would do; changes nothing. What an operator has
# accepted is in $ACCEPT (kinds of refusals).
bundle=$root/tx/$RETURN_ID/return

# The configuration as a way back found it that has not come to its end.
began=$bundle/config-current

# Versions that are neither the ones before nor the ones of the plan: somebody went on from there.
later_changes() {
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

# Sets $files and $extra; needs the packages of now in $TX_DIR/packages.
what_goes_back() {
    files=$(changed_files)
    extra=$(new_packages)
}

# The one step in which apt takes $files and $extra back. Status 1 where it sees none, or one that
# removes more than what the patch brought in.
simulate_way_back() {
    # shellcheck disable=SC2086,SC2046
    apt_install -s --allow-downgrades --allow-change-held-packages --no-install-recommends --purge \
        $files $(printf '%s' "$extra" | sed 's/$/-/') >"$TX_DIR/simulation" 2>&1 || return 1
    removes=$(awk '$1 == "Remv" || $1 == "Purg" { print $2 }' "$TX_DIR/simulation" | sed 's/:.*//' | sort -u)
    [ "$removes" = "$(printf '%s' "$extra" | sed 's/:.*//' | sort -u)" ]
}

# Packages that came or changed since the bundle, that the patch did not bring, and that would not
# fit to the old versions. What was there before, fitted to them then.
dependents_since() {
    [ -n "$files$extra" ] || return 0
    simulate_way_back && return
    plan_keys >"$TX_DIR/keys"
    comm -13 "$bundle/installed" "$TX_DIR/packages" | awk '{ print $1 }' | grep -vxFf "$TX_DIR/keys" |
        sed 's/:.*//' | sort -u >"$TX_DIR/since"
    awk '$1 == "Remv" || $1 == "Purg" { print $2 }
        / : (PreDepends|Depends|Breaks|Conflicts): / { print $1; print $4 }' "$TX_DIR/simulation" | sed 's/:.*//' | sort -u | comm -12 - "$TX_DIR/since" | head -n 5
}

moved_data() {
    [ -f "$bundle/data-formats" ] || return 0
    data_formats | awk -F '\t' '
        NR == FNR { before[$1] = $2; next }
        $1 in before && before[$1] != $2 { print $1 " was " before[$1] " and is " $2 }' \
        "$bundle/data-formats" - | head -n 5
}

# refuse KIND WHAT: a line of refusals, unless nothing is the matter or it was accepted.
refuse() {
    [ -n "$2" ] || return 0
    case " $ACCEPT " in *" $1 "*) return 0 ;; esac
    printf '%s\t%s\n' "$1" "$(printf '%s' "$2" | one_line)"
}

no_bundle() {
    if [ ! -f "$bundle/complete" ]; then
        echo "there is no complete return bundle in $bundle; it was removed or its time was over"
    elif ! bundle_reads "$bundle"; then
        echo "the return bundle in $bundle does not read back"
    fi
}

other_release() {
    then=$(sed -n 's/^release //p' "$bundle/about" 2>/dev/null)
    [ -z "$then" ] || [ "$then" = "$(release)" ] || echo "the host was $then when the bundle was made and is $(release) now"
}

# Files that the patch and somebody after it have changed.
conflicts() {
    sed -n 's/^conflict\t//p' "$TX_DIR/decisions" | head -n 5
}

no_snapshot() {
    if [ ! -f "$bundle/snapshot-taken" ]; then echo "the return bundle has no snapshots"; else lost_snapshots; fi
}

# Whatever it was: a snapshot takes all of it back.
written_since() {
    [ -f "$bundle/snapshots" ] || return 0
    printf 'all that was written to %s since the bundle was made is lost' "$(cut -f2 "$bundle/snapshots" | tr '\n' ' ')"
}

# needs $TX_DIR/packages and $TX_DIR/decisions
refusals() {
    missing=$(no_bundle)
    refuse no-bundle "$missing"
    [ -z "$missing" ] || return 0
    if [ "$SNAPSHOT" = 1 ]; then
        refuse no-snapshot "$(no_snapshot)"
        refuse data-loss "$(written_since)"
        return
    fi
    refuse other-release "$(other_release)"
    refuse changed-packages "$(later_changes)"
    refuse dependents "$(dependents_since)"
    refuse changed-configuration "$(conflicts)"
    refuse changed-data "$(moved_data)"
    refuse no-data "$(data_missing | head -n 3)"
}

# decide_configuration: what is done with each path, into $TX_DIR/decisions.
decide_configuration() {
    config_manifest "$bundle/config-roots" >"$TX_DIR/config-now"
    current=$began
    [ -f "$current" ] || current=$TX_DIR/config-now
    config_decisions "$current" "$TX_DIR/config-now" >"$TX_DIR/decided"
    only_own_files <"$TX_DIR/decided" >"$TX_DIR/decisions"
}

# Of single packages goes back what is theirs; of a whole patch, all that it changed. Their files are
# those of the versions there and back.
only_own_files() {
    [ "$NARROW" = 1 ] || { cat; return; }
    # shellcheck disable=SC2046
    {
        dpkg-query -L $(plan_keys)
        dpkg-query -W -f '${Conffiles}\n' $(plan_keys) | awk '{ print $1 }'
    } >>"$TX_DIR/own-files" 2>/dev/null
    awk -F '\t' 'NR == FNR { own[$1] = 1; next } $2 in own' "$TX_DIR/own-files" -
}

own_units() {
    # shellcheck disable=SC2046
    dpkg-query -L $(plan_keys) 2>/dev/null |
        sed -n 's,^.*/systemd/system/\([^/@]*\.\(service\|socket\|timer\|path\)\)$,\1,p' | sort -u
}

# Of units that ran before the patch and do not run now, those that ought to. Where a person asks
# for the way back, what others have stopped since stays stopped.
units_to_run() {
    [ "$ASKED" = 1 ] || { cat; return; }
    own_units >"$TX_DIR/own"
    failed_units >"$TX_DIR/failed"
    cat "$TX_DIR/own" "$TX_DIR/failed" "$bundle/active-current" 2>/dev/null | sort -u >"$TX_DIR/ours"
    comm -12 - "$TX_DIR/ours"
}

# what_we_mark: of names, those whose marks are ours to put back; see ASKED.
what_we_mark() {
    [ "$ASKED" = 1 ] || { cat; return; }
    plan_lines | awk '{ print $1; print $1 ":" $2 }' >"$TX_DIR/names"
    grep -xFf "$TX_DIR/names"
}

# Of failed units, those that ran when the way back began, and the patch's own.
failed_by_us() {
    [ "$ASKED" = 1 ] || { cat; return; }
    own_units | cat - "$bundle/active-current" 2>/dev/null | sort -u >"$TX_DIR/ours"
    comm -12 - "$TX_DIR/ours"
}

# kernel BEFORE NOW: the first is empty where the bundle does not say.
tell_kernels() {
    printf 'kernel\t%s\t%s\n' "$(sed -n 's/^kernel //p' "$bundle/about" 2>/dev/null)" "$(uname -rv)" >&3
}

# Seconds since 1970; the kernel counts them in hundredths from the boot.
started_at() {
    ticks=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20)
    echo $(($(sed -n 's/^btime //p' /proc/stat) + ${ticks:-0} / 100))
}

# "pid unit path before|since": since the patch, what it still runs may be the patch's.
tell_stale() {
    patched_at=$(stat -c %Y "$bundle/complete")
    stale_processes | while read -r pid unit path; do
        if [ "$(started_at "$pid")" -lt "$patched_at" ]; then when=before; else when=since; fi
        printf '%s %s %s %s\n' "$pid" "$unit" "$path" "$when"
    done
}
