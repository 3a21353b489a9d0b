# Proof that a return bundle can be read: from the disk, and compared with the host that it is of.

# What was written is on the disk, and is read from there rather than from memory.
from_disk() {
    find "$1" -type f -print0 | xargs -0 -r sync
    find "$1" -type f -exec dd if={} iflag=nocache count=0 status=none \; 2>/dev/null
}

# old_packages_read_back DIRECTORY: the first that is not what is installed.
old_packages_read_back() {
    plan_lines | while read -r name arch before after sha256 size action; do
        [ "$before" = - ] && continue
        is_old_package "$1/$(deb_name "$name" "$before" "$arch")" "$name" "$before" "$arch" ||
            { printf '%s %s' "$name" "$before"; break; }
    done
}

# configuration_differs BUNDLE: unpacks the archive beside it and prints paths whose type, owner,
# mode or content is not as it was recorded. Sockets are no part of an archive.
configuration_differs() {
    reading=$1.reading
    rm -rf "$reading" && mkdir "$reading" &&
        tar -C "$reading" --numeric-owner --same-permissions --same-owner -xf "$1/config.tar" ||
        { rm -rf "$reading"; printf 'the archive itself'; return; }
    sed "s,^,$reading," "$1/config-roots" >"$TX_DIR/roots-read"
    config_manifest "$TX_DIR/roots-read" >"$TX_DIR/config-read"
    rm -rf "$reading"
    awk -F '\t' -v skip="${#reading}" '
        $1 ~ /^s:/ { next }
        NR == FNR { before[$2] = $1; next }
        { path = substr($2, skip + 1); if (before[path] != $1) print path; delete before[path] }
        END { for (path in before) print path }' "$1/config-before" "$TX_DIR/config-read" | sort | head -n 5
}

# The hashes in `sums` are of everything but `sums` itself.
write_sums() {
    (cd "$1" && find . -type f ! -name sums -print0 | xargs -0 -r sha256sum >"$TX_DIR/sums") &&
        mv "$TX_DIR/sums" "$1/sums"
}

bundle_reads() {
    [ -f "$1/complete" ] && (cd "$1" && sha256sum --status -c sums 2>/dev/null)
}
