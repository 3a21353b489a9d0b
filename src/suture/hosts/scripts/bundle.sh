# Makes the return bundle in $root/tx/$RETURN_ID/return: everything that the way back needs. The
# mark `complete` is written last, after everything else is on disk and has been read again.
target=$root/tx/$RETURN_ID/return
new=$root/tx/$RETURN_ID/return.new

assumed_versions() {
    packages >"$TX_DIR/packages"
    plan_lines | awk '
        NR == FNR { version[$1] = $2; state[$1] = $3; next }
        { key = $1 ":" $2; now = state[key] == "installed" ? version[key] : "-" }
        now != $3 { print key " is " (now == "-" ? "not installed" : now) ", the plan assumed " $3 }
    ' "$TX_DIR/packages" - | head -n 5
}

# The configuration twice, for it is unpacked to be read, and 64 MiB for lists and logs.
need_bundle_space() {
    etc_kib=$(config_roots | tr '\n' '\0' | xargs -0 du -skc | tail -n 1 | cut -f1)
    need_space "$root" $(((2 * etc_kib + 65536) * 1024)) "the return bundle"
    make_room $((etc_kib + $(old_packages_kib) + $(directories_kib) + 1024))
}

old_packages_kib() {
    plan_lines | while read -r name arch before after sha256 size action; do
        [ "$before" = - ] || stat -c %s "$cache/$(deb_name "$name" "$before" "$arch")" 2>/dev/null
    done | awk '{ bytes += $1 } END { print int(bytes / 1024) }'
}

# Packages are linked, not copied: cached files are replaced as a whole, never written to.
save_packages() {
    mkdir "$new/packages"
    while read -r name arch before after sha256 size action && [ -n "$name" ]; do
        [ "$before" = - ] && continue
        file=$(deb_name "$name" "$before" "$arch")
        [ -f "$cache/$file" ] || fail "the old package $file is not in the cache; acquire again"
        ln "$cache/$file" "$new/packages/$file" 2>/dev/null ||
            cp "$cache/$file" "$new/packages/$file" || fail "$file could not be kept; make room and try again"
    done <<EOF
$PLAN
EOF
}

save_state() {
    cp "$TX_DIR/packages" "$new/installed"
    dpkg --get-selections >"$new/selections" &&
        apt-mark showhold | sort >"$new/held" &&
        apt-mark showauto | sort >"$new/automatic" &&
        unit_files >"$new/unit-files" &&
        active_units >"$new/active-units" &&
        failed_units >"$new/failed-units" &&
        config_roots >"$new/config-roots" &&
        data_formats >"$new/data-formats" &&
        printf 'made %s\nrollout %s\nrelease %s\nkernel %s\n' \
            "$(date +%s)" "$ROLLOUT" "$(release)" "$(uname -rv)" >"$new/about" ||
        fail "the host's state could not be recorded"
    run_health "$HEALTH_WAIT_S" >"$new/health"
}

# A file that changes while it is read makes tar say 1, and differs from what was recorded: then
# both are taken again.
save_configuration() {
    for try in 1 2 3; do
        config_manifest "$new/config-roots" >"$new/config-before" ||
            fail "the configuration could not be recorded; see the log"
        sed 's,^/,,' "$new/config-roots" |
            tar -C / --numeric-owner --xattrs --acls --verbatim-files-from -T - -cf "$new/config.tar"
        [ $? -le 1 ] || fail "the configuration could not be archived; see the log"
        from_disk "$new"
        differs=$(configuration_differs "$new" | tr '\n' ' ')
        [ -n "$differs" ] || return 0
    done
    fail "the configuration does not read back as it is on the host: $differs; find out what keeps changing it, then try again"
}

save_controls() {
    mkdir "$new/controls" && each_control save || fail "what the controls change could not be recorded"
}

read_again() {
    write_sums "$new" || fail "the return bundle could not be finished; make room and try again"
    from_disk "$new"
    (cd "$new" && sha256sum --quiet -c sums) || fail "the return bundle does not read back; check the disk below $root"
    wrong=$(old_packages_read_back "$new/packages")
    [ -z "$wrong" ] || fail "the old package $wrong does not read back as what is installed; check the disk below $root, then try again"
}

stay_within_budget() {
    used=$(bundles_kib)
    [ "$used" -gt "$MAX_KIB" ] || return 0
    own=$(du -sk "$new" | cut -f1)
    rm -rf "$new"
    over_budget $((used - own)) "$own"
}

wrong=$(assumed_versions)
[ -z "$wrong" ] || fail "the host is not in the state that the plan assumed: $wrong; scan and plan again"
rm -rf "$new" "$new.reading"
need_bundle_space
mkdir -p "$new" || fail "no room in $root"
printf '%s\n' "$PLAN" >"$new/plan"
save_packages
save_state
save_configuration
save_controls
each_directory save
each_dump save
read_again
stay_within_budget
: >"$new/complete" && sync "$new/complete" "$new" ||
    fail "the return bundle could not be finished; make room and try again"
drop_snapshots "$target" ||
    fail "a snapshot of $mount that an earlier try took could not be removed ($kind); see the log, remove it by hand, then try again"
rm -rf "$target"
mv "$new" "$target" && sync "$root/tx/$RETURN_ID"
take_snapshots
check "return bundle" pass "$(du -sk "$target" | cut -f1) KiB, read back"
check "old packages" pass "$(find "$target/packages" -type f | wc -l) read back, with the files that are installed"
check "configuration" pass "$(wc -l <"$target/config-before") paths read back as they are on the host"
exit 0
