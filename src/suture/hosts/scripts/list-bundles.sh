# The host's return bundles; CHECK=1 reads each back. Changes nothing.
for one in "$root"/tx/*/return; do
    [ -d "$one" ] || continue
    id=${one%/return}
    id=${id##*/}
    reads=-
    whole=yes
    if [ ! -f "$one/complete" ]; then
        whole=no
    elif [ "$CHECK" = 1 ]; then
        if bundle_reads "$one"; then reads=yes; else reads=no; fi
    fi
    printf 'bundle\t%s\t%s\t%s\t%s\t%s\t%s\n' "$id" "$(made_at "$one")" "$(du -sk "$one" | cut -f1)" \
        "$whole" "$reads" "$(sed -n 's/^rollout //p' "$one/about" 2>/dev/null)" >&3
    {
        cat "$one"/data/*.path
        ls "$one/dumps"
        sed 's/^\([a-z]*\)\t\([^\t]*\).*/snapshot of \2 (\1)/' "$one/snapshots"
    } 2>/dev/null | head -n 100 | while IFS= read -r name; do printf 'data\t%s\t%s\n' "$id" "$name" >&3; done
    head -n 500 "$one/plan" 2>/dev/null | while read -r name arch before after sha256 size action && [ -n "$name" ]; do
        printf 'package\t%s\t%s:%s\t%s\t%s\n' "$id" "$name" "$arch" "$after" "$before" >&3
    done
done
printf 'end\n' >&3
exit 0
