# Puts a twin back to before $PLAN, which its host has installed, from the files in the cache, so
# that the way there and back can be tried again.
old= new=
while read -r name arch before after sha256 size action && [ -n "$name" ]; do
    if [ "$before" = - ]; then
        new="$new $name:$arch"
    else
        old="$old $cache/$(deb_name "$name" "$before" "$arch")"
    fi
done <<EOF
$PLAN
EOF
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
[ -z "$old" ] || dpkg --force-downgrade,confdef,confold --install $old </dev/null ||
    fail "the packages from before could not be installed; see the log"
# shellcheck disable=SC2086
[ -z "$new" ] || dpkg --purge $new </dev/null ||
    fail "the packages that came along could not be removed; see the log"
printf 'end\n' >&3
exit 0
