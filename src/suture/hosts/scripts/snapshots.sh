# Snapshots of whole file systems, the last resort. They are named after the transaction that keeps
# the return bundle, and listed in it: `kind mount source inner name`, tab-separated. Each is taken
# when the bundle is complete, so that it holds the bundle; `snapshot-taken` is made after, so that
# whoever finds a bundle without it where snapshots are listed has been restored.

# each_line FUNCTION FILE: calls FUNCTION_KIND MOUNT SOURCE INNER NAME; ends with the first that fails.
each_line() {
    while IFS="$(printf '\t')" read -r kind mount source inner name <&7; do
        "$1_$kind" "$mount" "$source" "$inner" "$name" || return
    done 7<"$2"
}

take_snapshots() {
    [ -n "$VOLUMES" ] || return 0
    printf '%s\n' "$VOLUMES" >"$target/snapshots" && sync "$target/snapshots" && sync
    if each_line take "$target/snapshots"; then
        : >"$target/snapshot-taken" && sync "$target/snapshot-taken"
        check "snapshots" pass "$(cut -f1,2 "$target/snapshots" | tr '\t\n' ' ;')"
        return
    fi
    drop_snapshots "$target"
    rm -f "$target/complete"
    fail "a snapshot of $mount could not be taken ($kind); nothing was changed; see the log, or let backup.snapshots leave this host out"
}

# What could not be removed stays listed.
drop_snapshots() {
    [ ! -f "$1/snapshots" ] || each_line drop "$1/snapshots" >&2 || return 1
    rm -f "$1/snapshots" "$1/snapshot-taken"
}

# What is listed and not there any more.
lost_snapshots() {
    each_line there "$bundle/snapshots" >&2 || printf 'the snapshot of %s is not there any more (%s)' "$mount" "$kind"
}

## Btrfs: the subvolume INNER of a device. The snapshot lies beside it.

# with_top SOURCE COMMAND...: runs it where the device's top level is mounted, in $top, which no
# snapshot holds.
with_top() {
    device=${1%%\[*}
    shift
    top=$(mktemp -d /run/suture-top.XXXXXX) || return 1
    mount -t btrfs -o subvolid=5 "$device" "$top" || { rmdir "$top"; return 1; }
    "$@"
    status=$?
    umount "$top" && rmdir "$top"
    return $status
}

take_btrfs() { with_top "$2" take_subvolume "$3" "$4"; }
take_subvolume() { there_subvolume "$@" || btrfs subvolume snapshot -r "$top$1" "$top$1.$2"; }
there_btrfs() { with_top "$2" there_subvolume "$3" "$4"; }
there_subvolume() { [ -d "$top$1.$2" ]; }
drop_btrfs() { with_top "$2" drop_subvolumes "$3" "$4"; }

drop_subvolumes() {
    for one in "$top$1.$2" "$top$1.$2.replaced"; do
        [ ! -d "$one" ] || btrfs subvolume delete "$one" || return 1
    done
}

# The running system stays on the one that is replaced; the next boot takes the other.
restore_btrfs() { with_top "$2" exchange_subvolume "$3" "$4"; }

exchange_subvolume() {
    [ ! -d "$top$1.$2.replaced" ] || return 0
    old=$(subvolume_id "$top$1")
    mv "$top$1" "$top$1.$2.replaced" || return 1
    if ! btrfs subvolume snapshot "$top$1.$2" "$top$1"; then
        mv "$top$1.$2.replaced" "$top$1"
        return 1
    fi
    move_nested "$top$1.$2.replaced" "$top$1"
    [ "$(btrfs subvolume get-default "$top" | cut -d' ' -f2)" != "$old" ] ||
        btrfs subvolume set-default "$(subvolume_id "$top$1")" "$top"
}

# move_nested FROM TO: a snapshot holds an empty directory for each subvolume that lies within. Their
# data is no part of what goes back: they lie within the new one then, as far as it has a place.
move_nested() {
    btrfs subvolume list -o "$1" | while read -r _ _ _ _ _ _ _ _ path; do
        inner=${path#"${1#"$top"/}/"}
        rmdir "$2/$inner" && mv "$1/$inner" "$2/$inner"
    done
}

subvolume_id() { btrfs subvolume show "$1" | sed -n 's/^[[:space:]]*Subvolume ID:[[:space:]]*//p'; }

## Snapper: its configuration is INNER. It keeps the number itself, found by the description.

snapper_number() {
    snapper --machine-readable csv -c "$1" list --columns number,description | sed -n "s/^\([0-9]*\),$2\$/\1/p" | tail -n 1
}

take_snapper() {
    there_snapper "$@" || snapper -c "$3" create --type single --description "$4" --print-number
}
there_snapper() { [ -n "$(snapper_number "$3" "$4")" ]; }
drop_snapper() { number=$(snapper_number "$3" "$4"); [ -z "$number" ] || snapper -c "$3" delete "$number"; }

# This transaction's own records stay as they are. Snapper ends well even where it could not put a
# file back, which may be one that somebody writes: it has a second try.
restore_snapper() {
    number=$(snapper_number "$3" "$4")
    for try in 1 2; do
        snapper -c "$3" status "$number..0" >"$TX_DIR/status" || return 1
        grep -v ' /var/lib/suture\(/\|$\)' "$TX_DIR/status" >"$TX_DIR/undo" || return 0
        snapper -c "$3" undochange --input "$TX_DIR/undo" "$number..0" >"$TX_DIR/undone" 2>&1 || return 1
        cat "$TX_DIR/undone"
        grep -q '^failed to ' "$TX_DIR/undone" || return 0
    done
    return 1
}

## LVM thin: SOURCE is VG/LV. Merging begins with the next boot.

take_lvm() { there_lvm "$@" || lvcreate --snapshot --setactivationskip y --name "$4" "$2"; }
there_lvm() { lvs "${2%/*}/$4" >/dev/null 2>&1; }
drop_lvm() { ! there_lvm "$@" || lvremove --yes "${2%/*}/$4"; }
restore_lvm() {
    case $(lvs --noheadings -o lv_merging "${2%/*}/$4") in
    *merging*) ;; # it was asked for already
    *) lvconvert --yes --merge "${2%/*}/$4" ;;
    esac
}

## ZFS: SOURCE is a dataset. What is mounted is rolled back as the last thing before the boot.

take_zfs() { there_zfs "$@" || zfs snapshot "$2@$4"; }
there_zfs() { zfs list -H -t snapshot "$2@$4" >/dev/null 2>&1; }
drop_zfs() { ! there_zfs "$@" || zfs destroy "$2@$4"; }
restore_zfs() { printf 'zfs rollback -r %s@%s; ' "$2" "$4" >>"$TX_DIR/at-last"; }
