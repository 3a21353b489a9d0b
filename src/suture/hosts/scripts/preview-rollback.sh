# What the way back would do, and why it may not be gone; changes nothing.
packages >"$TX_DIR/packages"
[ ! -f "$bundle/returned" ] || began=$TX_DIR/none
: >"$TX_DIR/decisions"
if [ -f "$bundle/complete" ]; then
    decide_configuration
    what_goes_back
    printf 'made\t%s\n' "$(sed -n 's/^made //p' "$bundle/about" 2>/dev/null || stat -c %Y "$bundle/complete")" >&3
    plan_lines | awk '
        NR == FNR { version[$1] = $3 == "config-files" ? "" : $2; next }
        { key = $1 ":" $2; now = key in version && version[key] != "" ? version[key] : "-" }
        now != $3 { print "back\t" key "\t" now "\t" $3 }' "$TX_DIR/packages" - >&3
    head -n 200 "$TX_DIR/decisions" | while IFS= read -r line; do printf 'config\t%s\n' "$line"; done >&3
fi
refusals | while IFS= read -r line; do printf 'refusal\t%s\n' "$line"; done >&3
printf 'end\n' >&3
exit 0
