# config_decisions CURRENT NOW: what the way back does with each path that is not as it was before.
#   restore, remove   the patch or the way back changed or created it
#   kept              somebody else changed it since the patch; it is not ours to undo
#   conflict          the patch changed it, and somebody else since
# Compares the manifests from before and after the patch, and CURRENT from the beginning of the way
# back, with NOW.
config_decisions() {
    after=$bundle/config-after
    [ -f "$after" ] || after=$1
    awk -F '\t' '
        FNR == 1 { file++ }
        file == 1 { before[$2] = $1 }
        file == 2 { after[$2] = $1 }
        file == 3 { current[$2] = $1 }
        file == 4 { now[$2] = $1 }
        { path[$2] = 1 }
        END {
            for (p in path) {
                if (now[p] == before[p]) continue
                if (current[p] != after[p]) print (after[p] == before[p] ? "kept" : "conflict") "\t" p
                else print (before[p] != "" ? "restore" : "remove") "\t" p
            }
        }' "$bundle/config-before" "$after" "$1" "$2" | sort
}
