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

# The configuration, and 64 MiB for lists and logs.
need_bundle_space() {
    # shellcheck disable=SC2046
    etc_kib=$(config_roots | tr '\n' '\0' | xargs -0 du -skc | tail -n 1 | cut -f1)
    need_space "$root" $(((etc_kib + 65536) * 1024)) "the return bundle"
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
        config_manifest "$new/config-roots" >"$new/config-before" ||
        fail "the host's state could not be recorded"
    run_health "$HEALTH_WAIT_S" >"$new/health"
}

# Files that change while they are read make tar say 1; what is in the archive is whole.
save_configuration() {
    sed 's,^/,,' "$new/config-roots" |
        tar -C / --numeric-owner --xattrs --acls --verbatim-files-from -T - -cf "$new/config.tar"
    [ $? -le 1 ] || fail "the configuration could not be archived; see the log"
}

save_controls() {
    mkdir "$new/controls" && each_control save || fail "what the controls change could not be recorded"
}

read_again() {
    tar -tf "$new/config.tar" >/dev/null || fail "the configuration archive cannot be read back"
    (cd "$new" && find . -type f ! -name sums -print0 | xargs -0 -r sha256sum >sums &&
        sync sums && sha256sum --quiet -c sums) || fail "the return bundle cannot be read back"
}

wrong=$(assumed_versions)
[ -z "$wrong" ] || fail "the host is not in the state that the plan assumed: $wrong; scan and plan again"
need_bundle_space
rm -rf "$new"
mkdir -p "$new" || fail "no room in $root"
save_packages
save_state
save_configuration
save_controls
read_again
find "$new" -type f -print0 | xargs -0 sync
printf '%s\n' "$PLAN" >"$new/plan" && sync "$new/plan" && : >"$new/complete" && sync "$new/complete" "$new" ||
    fail "the return bundle could not be finished; make room and try again"
rm -rf "$target"
mv "$new" "$target" && sync "$root/tx/$RETURN_ID"
check "return bundle" pass "$(du -sk "$target" | cut -f1) KiB, read back"
exit 0
