# setting ID FILE FORMAT SECTION KEY VALUE RELOAD VALIDATE: see controls.sh for the verbs.

# edit_setting FORMAT SECTION KEY VALUE: a file from standard input with the setting made; every
# other line stays as it is. Status 3 where the setting goes on over several lines.
edit_setting() {
    FORMAT=$1 SECTION=$2 KEY=$3 VALUE=$4 awk '
        function trim(text) { gsub(/^[ \t\r]+|[ \t\r]+$/, "", text); return text }
        function is_blank(n) { return line[n] ~ /^[ \t\r]*$/ }
        function is_comment(n) { return line[n] ~ /^[ \t]*#/ || (format == "ini" && line[n] ~ /^[ \t]*;/) }
        function header(n) {
            return format == "ini" && line[n] ~ /^[ \t]*\[[^]]*\][ \t\r]*$/
        }
        # Of sshd, the first counts, and what stands below Include, Match or Host may be passed over.
        function find_first(  n, word) {
            for (n = 1; n <= count; n++) {
                if (is_blank(n) || is_comment(n)) continue
                word = tolower(trim(line[n])); sub(/[ \t=].*/, "", word)
                if (word == tolower(key)) { target = n; return }
                if (word ~ /^(include|match|host)$/) { before = n; return }
            }
            before = count + 1
        }
        # Of the others, the last in the section counts; without one, what precedes every header.
        function find_last(  n, inside) {
            inside = section == ""
            if (inside) before = 1
            for (n = 1; n <= count; n++) {
                if (header(n)) {
                    inside = trim(line[n]) == "[" section "]"
                    if (inside) before = n + 1
                } else if (inside && !is_blank(n)) {
                    before = n + 1
                    if (!is_comment(n) && index(line[n], "=") && trim(substr(line[n], 1, index(line[n], "=") - 1)) == key)
                        target = n
                }
            }
        }
        function goes_on(n) {
            return n >= 1 && n <= count && line[n] ~ /\\[ \t\r]*$/ && !is_comment(n)
        }
        # Whether the setting, or what stands before its place, goes on in the next line.
        function is_split(  place) {
            place = target ? target : before ? before : count + 1
            if (goes_on(place - 1) || goes_on(target)) return 1
            return target && line[target] !~ /^[ \t]/ && line[target + 1] ~ /^[ \t]+[^ \t\r]/
        }
        function value_of(n,  text) {
            text = line[n]
            if (format == "sshd") { sub(/^[ \t]*[^ \t=]+[ \t]*=?/, "", text); return trim(text) }
            return trim(substr(text, index(text, "=") + 1))
        }
        function made(  text) {
            if (format == "sshd") return key " " value
            if (!target) return key "=" value
            text = line[target]
            match(text, /^[^=]*=[ \t]*/)
            return substr(text, 1, RLENGTH) value
        }
        { line[++count] = $0 }
        END {
            format = ENVIRON["FORMAT"]; section = ENVIRON["SECTION"]
            key = ENVIRON["KEY"]; value = ENVIRON["VALUE"]
            if (format == "sshd") find_first(); else find_last()
            if (format != "sshd" && is_split()) exit 3
            setting = (target && value_of(target) == value) ? line[target] : made()
            for (n = 1; n <= count; n++) {
                if (!target && n == before) print setting
                print (n == target ? setting : line[n])
            }
            if (target) exit
            if (!before) print "[" section "]"
            if (!before || before > count) print setting
        }'
}

# edited FILE FORMAT SECTION KEY VALUE: the file as it should be, in $TX_DIR/edited.
edited() {
    { [ ! -e "$1" ] || cat -- "$1"; } >"$TX_DIR/plain" &&
        edit_setting "$2" "$3" "$4" "$5" <"$TX_DIR/plain" >"$TX_DIR/edited"
}

# Only plain files of a sane size, under the name that they have: a link's target is not saved.
editable() {
    [ "$(readlink -f -- "$1" 2>/dev/null)" = "$1" ] || { why_not="$1 leads over a link or into no directory; name the file itself"; return 1; }
    if [ ! -e "$1" ]; then
        case $1 in /etc/*) return 0 ;; esac
        why_not="$1 does not exist; controls make new files in /etc alone"
    elif [ ! -f "$1" ] || [ "$(stat -c %s -- "$1")" -gt 1048576 ] || ! tr -d '\0' <"$1" | cmp -s - "$1"; then
        why_not="$1 is not a text file of at most 1 MiB"
    else
        return 0
    fi
    return 1
}

# validates COMMAND: quietly, what it says in why_not.
validates() {
    [ -z "$1" ] || timeout -k 2 60 sh -c "$1" </dev/null >"$TX_DIR/validation" 2>&1 3>&- && return
    why_not="\`$1\` says: $(tail -c 300 "$TX_DIR/validation" | one_line)"
    return 1
}

reload_unit() {
    [ -n "$1" ] && has_systemd && unit_runs "$1" || return 0
    systemctl reload-or-restart -- "$1" 3>&- && unit_runs "$1" && return
    why_not="$1 does not come up with it"
    return 1
}

probe_setting() {
    if ! editable "$2"; then
        control_check "$1" fail "$why_not"
    elif ! edited "$2" "$3" "$4" "$5" "$6"; then
        control_check "$1" fail "$5 in $2 goes on over several lines; set it by hand"
    elif ! validates "$8"; then
        control_check "$1" fail "before any change, $why_not"
    elif cmp -s "$TX_DIR/plain" "$TX_DIR/edited"; then
        control_check "$1" pass "$5 in $2 is set already"
    else
        control_check "$1" pass "$5 in $2 can be set"
    fi
}

# What lies outside /etc: the return bundle takes the whole of /etc.
file_setting() { case $2 in /etc/*) ;; *) printf '%s\n' "$2" ;; esac }
file_sysctl() { :; }
file_module() { :; }
file_mask() { :; }

save_setting() { :; }

# A file that its validation refuses, or with which its unit does not come up, is put back at once.
apply_setting() {
    editable "$2" || return
    edited "$2" "$3" "$4" "$5" "$6" || { why_not="$5 in $2 goes on over several lines"; return 1; }
    [ -e "$2" ] && cmp -s "$2" "$TX_DIR/edited" && return
    rm -f "$TX_DIR/kept"
    [ ! -e "$2" ] || cp -a -- "$2" "$TX_DIR/kept" || { why_not="no room in $root"; return 1; }
    : >"$TX_DIR/touched"
    : >"$bundle/reload-$1"
    write_file "$2" <"$TX_DIR/edited" || { why_not="$2 could not be written"; return 1; }
    validates "$8" && reload_unit "$7" && return
    refused=$why_not
    put_back "$2" || refused="$refused; and $2 could not be put back"
    reload_unit "$7"
    why_not="$refused; $2 was put back"
    return 1
}

put_back() {
    if [ -e "$TX_DIR/kept" ]; then
        cp -a -- "$TX_DIR/kept" "$1.suture-kept" && mv -- "$1.suture-kept" "$1"
    else
        rm -f -- "$1"
    fi
}

# What sshd itself says, where its word for a value is ours: another file may have set it first.
sshd_differs() {
    case $1 in /etc/ssh/sshd_config | /etc/ssh/sshd_config.d/*) ;; *) return 1 ;; esac
    case $3 in yes | no) ;; *[!0-9]*) return 1 ;; esac
    says=$(sshd -T 2>/dev/null | awk -v key="$2" '$1 == tolower(key) { print $2; exit }')
    [ -n "$says" ] && [ "$says" != "$3" ]
}

verify_setting() {
    if ! editable "$2" || ! edited "$2" "$3" "$4" "$5" "$6" || ! cmp -s "$TX_DIR/plain" "$TX_DIR/edited"; then
        control_check "$1" fail "$5 in $2 is not $6"
    elif ! validates "$8"; then
        control_check "$1" fail "$why_not"
    elif sshd_differs "$2" "$5" "$6"; then
        control_check "$1" fail "sshd takes $says for $5 from another file, and not $6 from $2"
    else
        control_check "$1" pass "$5 in $2 is $6"
    fi
}

revert_setting() { [ ! -e "$bundle/reload-$1" ] || reload_unit "$7" || note "control $1" "$why_not"; }

# Files are compared with all the others.
compare_setting() { :; }
pending_setting() { :; }
