# What each kind of control does on a host. `each_control VERB` is made from the plan; it calls
# VERB_KIND ID ... for each control and stops at the first that returns something else than 0.
#
#   probe    may it be applied?              save     into $new/controls: what no file tells
#   apply    do it; why_not where it fails   verify   is it in force?
#   revert   files are back: the rest        compare  is the rest as it was saved?
#   pending  what only a reboot brings about
#
# Where OWN_KERNEL is 0 (a twin), the running kernel is somebody else's and left alone.

control_check() { check "control $1" "$2" "$3"; }

# write_file PATH: standard input, as a whole or not at all; owner, mode and labels are kept.
write_file() {
    mkdir -p -m 755 "${1%/*}" && fresh=$(mktemp "${1%/*}/.suture.XXXXXX") || return 1
    if [ -e "$1" ]; then cp -aL -- "$1" "$fresh"; else chmod 644 "$fresh"; fi &&
        cat >"$fresh" && sync "$fresh" && mv -- "$fresh" "$1" && return
    rm -f -- "$fresh"
    return 1
}

# write_drop_in PATH TEXT: and marks the transaction where that changes anything.
write_drop_in() {
    [ -f "$1" ] && [ "$(cat "$1")" = "$2" ] && return
    : >"$TX_DIR/touched"
    printf '%s\n' "$2" | write_file "$1" && return
    why_not="$1 could not be written"
    return 1
}

## sysctl ID KEY VALUE

sysctl_path() { printf '/proc/sys/%s' "$(printf '%s' "$1" | tr . /)"; }
sysctl_now() { tr -s '[:space:]' ' ' <"$(sysctl_path "$1")" | sed 's/^ //; s/ $//'; }
sysctl_file() { printf '/etc/sysctl.d/zz-suture-%s.conf' "$1"; }
sysctl_text() { printf '# Suture control %s\n%s = %s' "$1" "$2" "$3"; }

probe_sysctl() {
    path=$(sysctl_path "$2")
    if [ "$OWN_KERNEL" = 0 ]; then
        control_check "$1" pass "in its file alone: a twin shares its kernel"
    elif [ ! -e "$path" ]; then
        control_check "$1" fail "this kernel has no $2; leave this host out of the control's condition"
    elif [ ! -r "$path" ] || [ ! -w "$path" ]; then
        control_check "$1" fail "$2 cannot be set here (a container?); set it where its kernel runs"
    else
        control_check "$1" pass "$2 is $(sysctl_now "$2") now"
    fi
}

save_sysctl() { [ "$OWN_KERNEL" = 0 ] || sysctl_now "$2" >"$new/controls/$1"; }

set_sysctl() {
    [ "$(sysctl_now "$1")" = "$2" ] && return
    : >"$TX_DIR/touched"
    printf '%s\n' "$2" >"$(sysctl_path "$1")" && [ "$(sysctl_now "$1")" = "$2" ]
}

apply_sysctl() {
    write_drop_in "$(sysctl_file "$1")" "$(sysctl_text "$1" "$2" "$3")" || return
    [ "$OWN_KERNEL" = 0 ] || set_sysctl "$2" "$3" && return
    why_not="the kernel does not take $3 for $2; it is $(sysctl_now "$2")"
    return 1
}

verify_sysctl() {
    if [ "$(cat "$(sysctl_file "$1")" 2>/dev/null)" != "$(sysctl_text "$1" "$2" "$3")" ]; then
        control_check "$1" fail "$(sysctl_file "$1") is not as it was written"
    elif [ "$OWN_KERNEL" = 0 ]; then
        control_check "$1" pass "in its file; the running kernel is not the twin's own"
    elif [ "$(sysctl_now "$2")" != "$3" ]; then
        control_check "$1" fail "$2 is $(sysctl_now "$2") and should be $3"
    else
        control_check "$1" pass "$2 is $3, now and after a boot"
    fi
}

revert_sysctl() { [ "$OWN_KERNEL" = 0 ] || set_sysctl "$2" "$(cat "$bundle/controls/$1")" || :; }

compare_sysctl() {
    [ "$OWN_KERNEL" = 1 ] || return 0
    before=$(cat "$bundle/controls/$1")
    [ "$(sysctl_now "$2")" = "$before" ] && control_check "$1" pass "$2 is $before again" ||
        control_check "$1" fail "$2 is $(sysctl_now "$2") and was $before; reboot the host"
}

pending_sysctl() { :; }

## module ID NAME

module_file() { printf '/etc/modprobe.d/suture-%s.conf' "$1"; }
module_text() { printf '# Suture control %s\ninstall %s /bin/false\nblacklist %s' "$1" "$2" "$2"; }
kernel_name() { printf '%s' "$1" | tr - _; }

loaded_modules() { [ ! -e /proc/modules ] || cat /proc/modules; }

# Prints how many use it; status 1 where it is not loaded.
module_users() {
    loaded_modules | awk -v name="$(kernel_name "$1")" '
        $1 == name { print $3; found = 1 }
        END { exit !found }'
}

module_is_loaded() { [ "$OWN_KERNEL" = 1 ] && module_users "$1" >/dev/null; }

module_is_built_in() {
    sed 's,.*/,,; s/[.]ko.*//' "/lib/modules/$(uname -r)/modules.builtin" 2>/dev/null | tr - _ |
        grep -qxF "$(kernel_name "$1")"
}

probe_module() {
    if [ "$OWN_KERNEL" = 0 ]; then
        control_check "$1" pass "in its file alone: a twin shares its kernel"
    elif module_is_built_in "$2"; then
        control_check "$1" fail "$2 is built into this kernel and cannot be blocked; drop the control for this host"
    elif ! module_is_loaded "$2"; then
        control_check "$1" pass "$2 is not loaded"
    elif [ "$(module_users "$2")" = 0 ]; then
        control_check "$1" pass "$2 is loaded and not in use"
    elif [ "$REBOOT" = never ]; then
        control_check "$1" fail "$2 is in use, and the policy forbids the reboot that would end that; end its use, or allow the reboot"
    else
        control_check "$1" pass "$2 is in use; it goes with a reboot"
    fi
}

save_module() { ! module_is_loaded "$2" || echo loaded >"$new/controls/$1"; }

apply_module() {
    write_drop_in "$(module_file "$1")" "$(module_text "$1" "$2")" || return
    module_is_loaded "$2" && [ "$(module_users "$2")" = 0 ] || return 0
    : >"$TX_DIR/touched"
    modprobe -r -- "$2" 3>&- || rmmod "$2" 3>&- || :
}

verify_module() {
    if [ "$(cat "$(module_file "$1")" 2>/dev/null)" != "$(module_text "$1" "$2")" ]; then
        control_check "$1" fail "$(module_file "$1") is not as it was written"
    elif command -v modprobe >/dev/null &&
        ! modprobe -c 2>/dev/null | grep -qx "install $(kernel_name "$2") /bin/false"; then
        control_check "$1" fail "another file in /etc/modprobe.d lets $2 be loaded"
    elif module_is_loaded "$2"; then
        control_check "$1" fail "$2 is still loaded; end its use, or reboot the host"
    else
        control_check "$1" pass "$2 is not loaded and cannot be"
    fi
}

revert_module() {
    [ -f "$bundle/controls/$1" ] && ! module_is_loaded "$2" || return 0
    modprobe -- "$2" 3>&- || :
}

compare_module() {
    if [ -f "$bundle/controls/$1" ] && ! module_is_loaded "$2"; then
        control_check "$1" fail "$2 was loaded and is not; load it (modprobe $2)"
    else
        control_check "$1" pass "$2 may be loaded as before"
    fi
}

pending_module() {
    ! module_is_loaded "$2" || printf 'required\tthe module %s is still in use\n' "$2" >&3
}

## mask ID UNIT

unit_is() { systemctl "is-$1" -- "$2" 2>/dev/null || :; }
unit_runs() { case $(unit_is active "$1") in active | activating | reloading) ;; *) false ;; esac }

probe_mask() {
    own=/etc/systemd/system/$2
    if ! has_systemd; then
        control_check "$1" fail "there is no systemd here; leave this host out of the control's condition"
    elif { [ -e "$own" ] || [ -L "$own" ]; } && [ "$(readlink -- "$own")" != /dev/null ]; then
        control_check "$1" fail "$own is this host's own, and a mask would need its place; disable that unit by hand"
    else
        control_check "$1" pass "$2 is $(unit_is active "$2") now"
    fi
}

mask_state() {
    if unit_runs "$1"; then state=running; else state=stopped; fi
    printf '%s %s' "$state" "$(unit_is enabled "$1")"
}

save_mask() { mask_state "$2" >"$new/controls/$1"; }

apply_mask() {
    [ "$(unit_is enabled "$2")" = masked ] && ! unit_runs "$2" && return
    : >"$TX_DIR/touched"
    systemctl mask -- "$2" 3>&- && { ! unit_runs "$2" || systemctl stop -- "$2" 3>&-; } && return
    why_not="$2 could not be masked and stopped"
    return 1
}

verify_mask() {
    if [ "$(unit_is enabled "$2")" = masked ] && ! unit_runs "$2"; then
        control_check "$1" pass "$2 is masked and does not run"
    else
        control_check "$1" fail "$2 is $(unit_is enabled "$2") and $(unit_is active "$2")"
    fi
}

revert_mask() {
    case $(cat "$bundle/controls/$1") in running*) ;; *) return 0 ;; esac
    unit_runs "$2" && return
    systemctl start -- "$2" 3>&- || :
}

compare_mask() {
    now=$(mask_state "$2")
    before=$(cat "$bundle/controls/$1")
    [ "$now" = "$before" ] && control_check "$1" pass "$2 is $now again" ||
        control_check "$1" fail "$2 is $now and was $before"
}

pending_mask() { :; }
