# For scripts that change nothing: results are standard output, everything else is the log.
exec 3>&1 1>&2
TX_DIR=$(mktemp -d) || exit 70
trap 'rm -rf "$TX_DIR"' EXIT
