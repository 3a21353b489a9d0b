# Output in sections: each starts with a line of its own, \036NONCE NAME.
section() { printf '\n\036%s %s\n' "$nonce" "$1"; }
note() { section note; printf '%s\n' "$1"; }
has() { command -v "$1" >/dev/null 2>&1; }
export DEBIAN_FRONTEND=noninteractive
exec 2>/dev/null </dev/null
