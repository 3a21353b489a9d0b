# repack PACKAGE ARCH FILE: builds a package from what is installed, for the way back where no
# archive has the old version any more.
#
# Limits: files that the administrator changed or deleted, or that dpkg was told to leave out, are
# taken as they are; configuration files, too. The result has the same name, version and control
# data, never the same checksum as the original. dpkg-deb itself refuses what would not install.
repack() {
    work=$(mktemp -d "$root/repack.XXXXXX") || return 1
    mkdir -m 755 "$work/tree" "$work/tree/DEBIAN"
    chmod 755 "$work"
    repack_files "$1:$2" && repack_control "$1:$2" &&
        dpkg-deb -Zgzip -z1 --build "$work/tree" "$3" >/dev/null
    status=$?
    rm -rf "$work"
    return $status
}

# Paths of the package as they are on disk: a diverted file is where it was diverted to, a
# directory that is a symbolic link now (/lib) stays a directory in the package.
repack_files() {
    dpkg-query -L "$1" | awk '
        /^(locally )?diverted (by .+ )?to: / { sub(/^.*to: /, ""); held = $0; next }
        / diverts others to: / { next }
        { if (held != "" && held != "/.") print held; held = $0 }
        END { if (held != "" && held != "/.") print held }' >"$work/paths"
    while IFS= read -r path; do
        if [ -L "$path" ] && [ -d "$path" ] && grep -q "^$path/" "$work/paths"; then
            mkdir -p -m 755 "$work/tree$path"
        elif [ -e "$path" ] || [ -L "$path" ]; then
            printf '%s\n' "${path#/}"
        fi
    done <"$work/paths" >"$work/existing"
    tar -C / --no-recursion --verbatim-files-from -T "$work/existing" -cf - | tar -C "$work/tree" -xpf -
}

repack_control() {
    dpkg-query -s "$1" | awk '
        /^(Status|Conffiles|Config-Version|Triggers-Pending|Triggers-Awaited):/ { skip = 1; next }
        /^[^ ]/ { skip = 0 }
        !skip' >"$work/tree/DEBIAN/control"
    dpkg-query --control-list "$1" | while IFS= read -r part; do
        [ "$part" = md5sums ] && continue
        source=$(dpkg-query --control-path "$1" "$part") && cp "$source" "$work/tree/DEBIAN/$part"
    done
    if [ -f "$work/tree/DEBIAN/conffiles" ]; then
        while IFS= read -r path; do
            [ -f "$work/tree$path" ] && printf '%s\n' "$path"
        done <"$work/tree/DEBIAN/conffiles" >"$work/conffiles"
        mv "$work/conffiles" "$work/tree/DEBIAN/conffiles"
    fi
    (cd "$work/tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' |
        xargs -0 -r md5sum >DEBIAN/md5sums)
    find "$work/tree/DEBIAN" -type f -exec chmod 644 {} +
    for part in preinst postinst prerm postrm config; do
        [ ! -f "$work/tree/DEBIAN/$part" ] || chmod 755 "$work/tree/DEBIAN/$part"
    done
}
