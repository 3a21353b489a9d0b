# Installs exactly the bytes of $PLAN, then applies the controls, and only where the way back is ready.
bundle=$root/tx/$RETURN_ID/return

the_state_is_the_bundles() {
    [ -f "$bundle/complete" ] || fail "no return bundle, no patch: $bundle is not complete; make the bundle first"
    packages >"$TX_DIR/packages"
    differs=$(comm -3 "$bundle/installed" "$TX_DIR/packages" | tr -d '\t' | cut -d' ' -f1 | uniq | head -n 5)
    [ -z "$differs" ] || fail "packages changed since the return bundle was made: $differs; scan and plan again"
}

the_bytes_are_the_plans() {
    while read -r name arch before after sha256 size action && [ -n "$name" ]; do
        file=$cache/$(deb_name "$name" "$after" "$arch")
        printf '%s  %s\n' "$sha256" "$file"
    done >"$TX_DIR/sums" <<EOF
$PLAN
EOF
    [ -n "$PLAN" ] || return 0
    wrong=$(sha256sum --quiet -c "$TX_DIR/sums" 2>/dev/null)
    [ $? = 0 ] || fail "package files are missing or are not what was planned: ${wrong:-see the log}; acquire again"
}

# apt takes local files for the administrator's own choice; the marks are put back as they were.
restore_marks() {
    plan_lines | awk '
        NR == FNR { automatic[$1] = 1; next }
        $7 == "install" || automatic[$1] || automatic[$1 ":" $2] { print $1 ":" $2 }
    ' "$bundle/automatic" - | xargs -r apt-mark auto >/dev/null
}

install_packages() {
    [ -n "$PLAN" ] || return 0
    # shellcheck disable=SC2046
    apt_install --no-remove --no-install-recommends $(cut -c67- "$TX_DIR/sums")
}

size_of() { stat -c %s "$1" 2>/dev/null || echo 0; }

the_state_is_the_bundles
the_bytes_are_the_plans
hold_off_updaters
printf '%s %s\n' "$(size_of /var/log/dpkg.log)" "$(size_of /var/log/apt/history.log)" >"$TX_DIR/log-offsets"
sync "$TX_DIR/log-offsets"
printf 'changing\n' >&3
install_packages
status=$?
refusal=
if [ "$status" = 0 ]; then
    each_control apply || refusal="control $control: $why_not"
fi
packages >"$TX_DIR/packages-after"
if [ ! -e "$TX_DIR/touched" ] && cmp -s "$TX_DIR/packages" "$TX_DIR/packages-after" &&
    [ "$(cut -d' ' -f1 "$TX_DIR/log-offsets")" = "$(size_of /var/log/dpkg.log)" ]; then
    printf 'unchanged\n' >&3
fi
config_manifest "$bundle/config-roots" >"$TX_DIR/config" &&
    mv "$TX_DIR/config" "$bundle/config-after" && sync "$bundle/config-after"
restore_marks
report_package_errors
[ "$status" = 0 ] || fail "apt-get ended with status $status: $(package_manager_errors)"
[ -z "$PLAN" ] || check "installation" pass "apt-get ended with status 0"
[ -z "$refusal" ] || fail "$refusal"
exit 0
