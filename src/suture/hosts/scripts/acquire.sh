# Brings the exact packages of $PLAN (lines: package arch before after sha256 size action) and the
# versions that are installed now into the cache, each checked before it counts.
mkdir -p "$cache"
arrivals=/var/cache/suture

has_sha256() { [ -f "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum --status -c; }

# download PACKAGE:ARCH=VERSION...: apt checks each against the archive's signed index. It runs as
# the user _apt in a directory of its own; what it fetched is moved into the cache. It may take
# $LONGEST_S seconds, where that is not 0.
download() {
    mkdir -p "$arrivals" && chmod 755 "$arrivals"
    drop=$(mktemp -d "$arrivals/XXXXXX") || fail "no room in $arrivals; make room and try again"
    chown _apt "$drop" 2>/dev/null
    (cd "$drop" && timeout "$LONGEST_S" apt-get -q -o Acquire::Retries=2 -o Acquire::http::Timeout=30 \
        -o Acquire::https::Timeout=30 download "$@" 3>&-) >"$TX_DIR/download" 2>&1
    cat "$TX_DIR/download"
    for file in "$drop"/*.deb; do
        [ -f "$file" ] && cp --reflink=auto "$file" "$cache/" && sync "$cache/${file##*/}"
    done
    rm -rf "$drop"
}

download_errors() { grep -E '^(E|Err):' "$TX_DIR/download" 2>/dev/null | tail -n 3; }

# The versions that an archive offers, of those asked for: PACKAGE:ARCH=VERSION lines.
offered() {
    apt-cache show "$@" 2>/dev/null | awk '
        function flush() { if (file) print name ":" arch "=" version; file = "" }
        /^Package: / { flush(); name = $2 }
        /^Version: / { version = $2 }
        /^Architecture: / { arch = $2 }
        /^Filename: / { file = $2 }
        END { flush() }' | sort -u
}

acquire_new() {
    wanted= bytes=0
    while read -r name arch before after sha256 size action && [ -n "$name" ]; do
        file=$cache/$(deb_name "$name" "$after" "$arch")
        has_sha256 "$file" "$sha256" && continue
        rm -f "$file"
        wanted="$wanted $name:$arch=$after"
        bytes=$((bytes + size))
    done <<EOF
$PLAN
EOF
    [ -n "$wanted" ] || return 0
    need_space "$cache" $((bytes * 2)) "downloading the packages"
    # shellcheck disable=SC2086
    download $wanted
}

check_new() {
    reused=0
    while read -r name arch before after sha256 size action && [ -n "$name" ]; do
        file=$cache/$(deb_name "$name" "$after" "$arch")
        [ -f "$file" ] ||
            fail "$name $after could not be had: $(download_errors); nothing was installed; refresh the package lists (apt-get update), check the archive, and plan again"
        found=$(sha256sum "$file" | cut -c1-64)
        if [ "$found" != "$sha256" ]; then
            rm -f "$file"
            fail "$name $after is not what was planned: sha256 $found instead of $sha256; nothing was installed; find out who changed the archive, then plan again"
        fi
        reused=$((reused + 1))
    done <<EOF
$PLAN
EOF
    check "planned packages" pass "$reused packages match the plan's sha256"
}

old_file() { printf '%s/%s' "$cache" "$(deb_name "$1" "$2" "$3")"; }

# Old packages, from the cheapest place that has them: a cache, the archive, what is installed.
acquire_old() {
    missing=
    while read -r name arch before after sha256 size action && [ -n "$name" ]; do
        [ "$before" = - ] && continue
        file=$(old_file "$name" "$before" "$arch")
        is_old_package "$file" "$name" "$before" "$arch" && continue
        rm -f "$file"
        kept=/var/cache/apt/archives/${file##*/}
        if is_old_package "$kept" "$name" "$before" "$arch"; then
            cp --reflink=auto "$kept" "$file"
        else
            missing="$missing $name:$arch=$before"
        fi
    done <<EOF
$PLAN
EOF
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086
    available=$(offered $missing | tr '\n' ' ')
    # shellcheck disable=SC2086
    [ -z "$available" ] || download $available
}

check_old() {
    rebuilt=
    while read -r name arch before after sha256 size action && [ -n "$name" ]; do
        [ "$before" = - ] && continue
        file=$(old_file "$name" "$before" "$arch")
        is_old_package "$file" "$name" "$before" "$arch" && continue
        rm -f "$file"
        repack "$name" "$arch" "$file"
        is_old_package "$file" "$name" "$before" "$arch" ||
            fail "no way back for $name $before: no archive offers it and it could not be rebuilt from what is installed; nothing was installed; restore access to an archive that has it"
        rebuilt="$rebuilt $name"
    done <<EOF
$PLAN
EOF
    if [ -n "$rebuilt" ]; then
        check "old packages" pass "all there and readable; rebuilt from what is installed:$rebuilt"
    else
        check "old packages" pass "all there and readable"
    fi
}

prune_by_age
prune_records
acquire_new
check_new
acquire_old
check_old
exit 0
