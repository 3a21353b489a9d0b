# Who holds the package manager's locks. They are fcntl locks, which flock(1) does not see; perl-base
# is essential on Debian and asks the kernel.

# holder FILE: the process that holds dpkg's or apt's lock, "pid command", empty where it is free
holder() {
    [ -e "$1" ] || return 0
    pid=$(perl -MFcntl -e '
        open my $f, "+<", $ARGV[0] or exit;
        my $lock = pack "s s x![q] q q i x16", F_WRLCK, 0, 0, 0, 0;
        fcntl $f, F_GETLK, $lock or exit;
        my ($type, undef, undef, undef, $pid) = unpack "s s x![q] q q i", $lock;
        print $pid unless $type == F_UNLCK;' "$1")
    [ -z "$pid" ] || printf '%s %s' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-80)"
}

locked_by() {
    for file in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/cache/apt/archives/lock; do
        held=$(holder "$file")
        [ -z "$held" ] || { printf '%s by process %s' "$file" "$held"; return; }
    done
}

# Waits up to $LOCK_WAIT_S seconds; prints who still holds a lock then, nothing where all are free.
wait_for_locks() {
    left=$LOCK_WAIT_S
    while held=$(locked_by) && [ -n "$held" ] && [ "$left" -gt 0 ]; do
        sleep 1
        left=$((left - 1))
    done
    printf '%s' "$held"
}
