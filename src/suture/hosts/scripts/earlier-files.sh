# How the configuration files among $PATHS are now: file PATH STATE own|other. Own is what the
# package brings. What no package and no control ($SETTINGS) calls its configuration is passed over:
# caches, links and the like are written anew by every patch.
{
    dpkg-query -W -f '${Conffiles}\n' | awk '$1 ~ "^/" { print $2 "\t" $1 }'
    awk '{ print $1 "\t" $2 }' /var/lib/ucf/hashfile
    printf '%s\n' "$SETTINGS" | awk '{ print "-\t" $0 }'
} 2>/dev/null >"$TX_DIR/known"
printf '%s\n' "$PATHS" | awk -F '\t' '
    NR == FNR { known[$2] = 1; next }
    $1 != "" && known[$1]' "$TX_DIR/known" - | sort -u >"$TX_DIR/wanted"
while IFS= read -r path; do
    printf '%s\n' "$path" >"$TX_DIR/roots"
    state=$([ -e "$path" ] && config_manifest "$TX_DIR/roots" | head -n 1 | cut -f1)
    sum=$(md5sum <"$path" | cut -d' ' -f1)
    own=other
    ! printf '%s\t%s\n' "$sum" "$path" | grep -qxFf - "$TX_DIR/known" || own=own
    printf 'file\t%s\t%s\t%s\n' "$path" "$state" "$own"
done <"$TX_DIR/wanted" 2>/dev/null >&3
each_control verify
printf 'end\n' >&3
exit 0
