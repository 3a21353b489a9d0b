# The configuration that earlier patches and controls changed, by the return bundles that the host
# still has: one path a line.
for bundle in "$root"/tx/*/return; do
    [ -f "$bundle/complete" ] && [ -f "$bundle/config-after" ] || continue
    awk -F '\t' '
        NR == FNR { before[$2] = $1; next }
        before[$2] != $1 { print $2 }' "$bundle/config-before" "$bundle/config-after"
done | grep '^/' | sort -u | head -n 2000
