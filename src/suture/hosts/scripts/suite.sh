# Runs a test suite, given KIND (goss, command), ENTRY (the file to run), GOSS (a program, empty for
# the host's own) and LIMIT_S; the suite is a tar archive on standard input. Prints one line, then
# what the suite printed: `ran STATUS`, or `trouble` and why it could not be run.
trouble() {
    printf 'trouble %s\n' "$(printf '%s' "$1" | one_line)"
    exit 0
}

command -v tar >/dev/null || trouble "there is no tar on the twin"
mkdir -p "$root" && scratch=$(mktemp -d "$root/suite.XXXXXX") || trouble "no room on the twin"
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/suite" && cd "$scratch/suite" || trouble "no room on the twin"
tar -xf - 2>"$scratch/err" || trouble "the suite cannot be unpacked: $(tail -c 300 "$scratch/err")"

if [ "$KIND" = goss ]; then
    goss=${GOSS:-$(command -v goss)} && [ -x "$goss" ] ||
        trouble "there is no goss on the twin; say in the suite which to copy to it (goss: PATH)"
    set -- "$goss" -g "$ENTRY" validate --format json --no-color
    errors=$scratch/err
else
    set -- "./$ENTRY"
    errors=$scratch/out
fi
# timeout leads a process group of its own, in which whatever is left over is stopped at the end.
timeout -k 5 "$LIMIT_S" "$@" </dev/null >>"$scratch/out" 2>>"$errors" 3>&- &
group=$!
wait "$group"
status=$?
kill -KILL -"$group" 2>/dev/null
printf 'ran %s\n' "$status"
head -c "$MOST" "$scratch/out"
[ -s "$scratch/out" ] || tail -c 300 "$scratch/err" 2>/dev/null
exit 0
