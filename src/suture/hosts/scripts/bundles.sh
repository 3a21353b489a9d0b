# The return bundles that a host keeps, and for how long. $KEEP_LAST of them stay whatever their age,
# those in $PROTECTED (transactions of rollouts that are not over) in any case; others go when they
# are older than $KEEP_S seconds, and earlier where all together would need more than $MAX_KIB.

made_at() {
    made=$(sed -n 's/^made \([0-9]\{1,12\}\)$/\1/p' "$1/about" 2>/dev/null)
    printf '%s' "${made:-$(stat -c %Y "$1/complete" 2>/dev/null || stat -c %Y "$1")}"
}

# Those of other transactions, newest first: when each was made, and its id.
other_bundles() {
    for mark in "$root"/tx/*/return/complete; do
        [ -f "$mark" ] || continue
        one=${mark%/complete}
        id=${one%/return}
        id=${id##*/}
        [ "$id" = "$RETURN_ID" ] || printf '%s %s\n' "$(made_at "$one")" "$id"
    done | sort -rn
}

# removable NEWEST: those that may go, oldest first; the NEWEST ones stay.
removable() {
    other_bundles | awk -v newest="$1" -v held=" $PROTECTED " \
        'NR > newest && !index(held, " " $2 " ")' | sort -n
}

# Its mark goes first: what is half removed is no bundle.
remove_bundle() {
    rm -f "$root/tx/$1/return/complete" && sync "$root/tx/$1/return" &&
        drop_snapshots "$root/tx/$1/return" && rm -rf "${root:?}/tx/$1"
}

# Packages that several bundles share count once. One that is made anew counts as it will be.
bundles_kib() {
    set --
    for one in "$root"/tx/*/return "$root"/tx/*/return.new; do
        [ "$one" = "$root/tx/$RETURN_ID/return" ] || set -- "$@" "$one"
    done
    { du -skc "$@" 2>/dev/null || :; } | tail -n 1 | cut -f1
}

prune_by_age() {
    now=$(date +%s)
    removable "$KEEP_LAST" | while read -r made id; do
        [ $((now - made)) -le "$KEEP_S" ] || { remove_bundle "$id" && printf 'removed %s\n' "$id"; }
    done
}

# prune_to KIB NEWEST: until all together need no more than KIB.
prune_to() {
    removable "$2" >"$TX_DIR/removable"
    while [ "$(bundles_kib)" -gt "$1" ] && read -r made id; do
        remove_bundle "$id" && printf 'removed %s\n' "$id"
    done <"$TX_DIR/removable"
}

# make_room KIB: for a new bundle within the budget. The new one is the newest of those that stay.
make_room() {
    prune_to $((MAX_KIB > $1 ? MAX_KIB - $1 : 0)) $((KEEP_LAST - 1))
    used=$(bundles_kib)
    [ $((used + $1)) -le "$MAX_KIB" ] || over_budget "$used" "$1"
}

over_budget() {
    fail "the disk budget for return bundles is $((MAX_KIB / 1024)) MiB: those that have to stay use $(($1 / 1024)) MiB, this one needs $(($2 / 1024)) MiB; raise backup.max_disk in the policy"
}

# Records of transactions go with their time, and packages of no bundle; so do snapshots that could
# not be removed with theirs.
prune_records() {
    for one in "$root"/tx/*/return; do
        [ ! -f "$one/snapshots" ] || [ -f "$one/complete" ] || { drop_snapshots "$one" && rm -rf "${one%/return}"; }
    done
    find "$root/tx" -mindepth 1 -maxdepth 1 -mmin "+$((KEEP_S / 60))" ! -exec test -d {}/return \; -exec rm -rf {} +
    [ ! -d "$cache" ] || find "$cache" -type f -links 1 -mmin "+$((KEEP_S / 60))" -delete
}
