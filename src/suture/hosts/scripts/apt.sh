# Running apt without questions, and reading what it complained about.

# apt_install OPTION|FILE...: apt knows no archive here, only what is installed and the files that
# it is given. So it cannot reach for anything else, and needs no network. Its own caches stay.
apt_install() {
    DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none NEEDRESTART_SUSPEND=1 \
        UCF_FORCE_CONFFOLD=1 apt-get install -q -y \
        -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef \
        -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout="$LOCK_WAIT_S" \
        "$@" 3>&- </dev/null
}

package_manager_errors() {
    grep -E '^(E: |dpkg: error|dpkg: .*(warning|problem)|Err:)' "$TX_DIR/log" | tail -n 6
}

# error PACKAGE: the packages that dpkg could not unpack or set up.
report_package_errors() {
    sed -n 's/^dpkg: error processing package \([a-z0-9][a-z0-9+.-]*\).*/\1/p
        s,^dpkg: error processing archive .*/\([a-z0-9][a-z0-9+.-]*\)_[^/]*\.deb .*,\1,p' "$TX_DIR/log" |
        sort -u | head -n 20 | while read -r name; do printf 'error\t%s\n' "$name"; done >&3
}
