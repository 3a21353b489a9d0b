# Package files of the versions that are installed now. One counts only when it says what it should,
# can be read to its end, and holds the files that are installed.

# is_package FILE PACKAGE VERSION ARCH
is_package() {
    [ "$(dpkg-deb -f "$1" Package Version Architecture 2>/dev/null |
        sed 's/^[A-Za-z]*: //' | tr '\n' ' ')" = "$2 $3 $4 " ] &&
        dpkg-deb --fsys-tarfile "$1" >/dev/null 2>&1
}

# is_installed_build FILE PACKAGE ARCH: another build of the same version has other files. A rebuilt
# package has those on disk, which may differ from what was once installed. What is below /etc is
# configuration, and comes back with that.
is_installed_build() {
    list=$(dpkg-query --control-path "$2:$3" md5sums 2>/dev/null)
    [ -n "$list" ] || return 0
    dpkg-deb --ctrl-tarfile "$1" 2>/dev/null | tar -xOf - ./md5sums >"$TX_DIR/md5sums" 2>/dev/null ||
        return 0
    awk 'NR == FNR { known[$0] = 1; next } !($0 in known) && $2 !~ "^etc/"' \
        "$list" "$TX_DIR/md5sums" >"$TX_DIR/md5sums-other"
    [ ! -s "$TX_DIR/md5sums-other" ] || (cd / && md5sum --status -c "$TX_DIR/md5sums-other" 2>/dev/null)
}

# is_old_package FILE PACKAGE VERSION ARCH
is_old_package() { is_package "$@" && is_installed_build "$1" "$2" "$4"; }
