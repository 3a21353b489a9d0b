# Data in the return bundle: directories and dumps. `each_directory VERB` and `each_dump VERB` are
# made from the plan and call VERB_directory NUMBER PATH MAX-KIB UNIT..., and VERB_dump NAME SECONDS
# COMMAND RESTORE VERIFY.

# What a file of the bundle may still need: within the budget, and 64 MiB left free on the disk.
room_kib() {
    free=$(df -Pk "$root" | awk 'NR == 2 { print $4 - 65536 }')
    left=$((MAX_KIB - $(bundles_kib)))
    [ "$left" -lt "$free" ] || left=$free
    [ "$left" -gt 0 ] || left=0
    echo "$left"
}

directories_kib() { each_directory measure | awk '{ kib += $1 } END { print kib + 0 }'; }

measure_directory() { du -skx "$2" 2>/dev/null | cut -f1; }

# A directory has to be at rest: what changes while it is archived is no state that ever was.
save_directory() {
    [ -d "$2" ] && [ ! -L "$2" ] || fail "there is no directory $2 to keep; correct backup.data in the policy"
    size=$(du -skx "$2" | cut -f1)
    [ "$size" -le "$3" ] || fail "$2 has $((size / 1024)) MiB, backup.data allows $(($3 / 1024)) MiB; raise max_size, or leave it to your backup"
    room=$(room_kib)
    [ "$size" -le "$room" ] || fail "disk full: keeping $2 needs $((size / 1024)) MiB, there is room for $((room / 1024)) MiB; make room, or raise backup.max_disk"
    mkdir -p "$new/data"
    printf '%s\n' "$2" >"$new/data/$1.path"
    tar -C / --one-file-system --sparse --numeric-owner --xattrs --acls -cf "$new/data/$1.tar" -- "${2#/}" &&
        from_disk "$new/data" &&
        tar -C / --one-file-system --compare -f "$new/data/$1.tar" >"$TX_DIR/compared" 2>&1 ||
        fail "$2 changes while it is kept ($(head -n 1 "$TX_DIR/compared" 2>/dev/null)); keep a dump of it, or have its program stand still"
    check "data $2" pass "$((size / 1024)) MiB, read back as on the host"
}

# The command never gets more room than there is; it then ends by a closed pipe.
save_dump() {
    mkdir -p "$new/dumps"
    limit=$(($(room_kib) * 1024))
    {
        timeout "$2" sh -c "$3" 3>&- </dev/null
        echo $? >"$TX_DIR/dump-status"
    } | head -c $((limit + 1)) >"$new/dumps/$1"
    status=$(cat "$TX_DIR/dump-status")
    bytes=$(stat -c %s "$new/dumps/$1")
    [ "$bytes" -le "$limit" ] || fail "disk full: the dump $1 needs more than the $((limit / 1048576)) MiB that there are; make room, or raise backup.max_disk"
    [ "$status" != 124 ] || fail "the dump $1 was not finished after $2 s; raise its timeout"
    [ "$status" = 0 ] || fail "the dump $1 ended with status $status: $(tail -n 3 "$TX_DIR/log"); nothing was changed; correct its command"
    [ "$bytes" -gt 0 ] || fail "the dump $1 is empty; nothing was changed; correct its command"
    from_disk "$new/dumps"
    [ -z "$5" ] || timeout "$2" sh -c "$5" <"$new/dumps/$1" 3>&- >&2 ||
        fail "the dump $1 does not pass its own verification; nothing was changed; correct its commands"
    check "dump $1" pass "$bytes bytes, read back"
}

## The way back with data. What is there now is kept beside, in `replaced`.

data_missing() {
    [ "$DATA" = 1 ] || return 0
    [ -d "$bundle/data" ] || [ -d "$bundle/dumps" ] ||
        echo "the return bundle holds no data; the policy names none, or did not at that time"
    each_dump restorable
}

restorable_dump() { [ -n "$4" ] || echo "the dump $1 has no restore command; restore it by hand from $bundle/dumps/$1"; }

need_space_for_data() {
    [ "$DATA" = 1 ] || return 0
    rm -rf "$bundle/replaced" "$bundle/data-failed"
    need_space "$root" $(($(directories_kib) * 1024)) "keeping the data that is replaced"
}

restore_directories() { [ "$DATA" = 0 ] || each_directory restore; }

restore_dumps() { [ "$DATA" = 0 ] || each_dump restore; }

restore_directory() {
    number=$1 path=$2
    shift 3
    : >"$TX_DIR/stopped"
    for unit in "$@" $(own_units); do
        systemctl --quiet is-active "$unit" 2>/dev/null || continue
        systemctl stop "$unit" 3>&- && printf '%s\n' "$unit" >>"$TX_DIR/stopped"
    done
    mkdir -p "$bundle/replaced"
    if [ -d "$path" ]; then
        tar -C / --one-file-system --sparse --numeric-owner --xattrs --acls \
            -cf "$bundle/replaced/$number.tar" -- "${path#/}" ||
            fail "$path could not be kept as it is now, so it was not replaced"
        find "$path" -xdev -mindepth 1 -delete 2>/dev/null
    fi
    tar -C / --numeric-owner --same-permissions --same-owner --xattrs --acls -xf "$bundle/data/$number.tar" &&
        tar -C / --one-file-system --compare -f "$bundle/data/$number.tar" >"$TX_DIR/compared" 2>&1
    status=$?
    while read -r unit; do systemctl start "$unit" 3>&- || note "did not start" "$unit"; done <"$TX_DIR/stopped"
    [ "$status" = 0 ] && check "data $path" pass "as before; what was there is in $bundle/replaced/$number.tar" ||
        data_failed "data $path" "not as before: $(head -n 1 "$TX_DIR/compared"); it is in $bundle/data/$number.tar"
}

# Told here, and again by who looks whether the way back led back.
data_failed() {
    check "$1" fail "$2"
    printf '%s: %s\n' "$1" "$2" >>"$bundle/data-failed"
}

restore_dump() {
    [ -f "$bundle/dumps/$1" ] || return 0
    timeout "$2" sh -c "$4" <"$bundle/dumps/$1" 3>&- >&2 && check "dump $1" pass "restored" ||
        data_failed "dump $1" "its restore command failed; see the log; the dump is in $bundle/dumps/$1"
}
