# Evaluates $content by $profile with what the host has to spare, for $limit_s seconds at most.
# Prints one line that says how it went, and behind `results` the results, packed. Nothing stays.
say() { printf '%s\n' "$*"; exit 0; }
umask 077
work=/var/lib/suture/openscap
mkdir -p /var/lib/suture && exec 8>"$work.lock" || say 'failed: /var/lib/suture cannot be written'
flock -n 8 || say busy
trap 'cd /; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
rm -rf "$work"
mkdir "$work" && cd "$work" || say 'failed: /var/lib/suture cannot be written'
idle=
! command -v ionice >/dev/null || idle='ionice -c 3'
ulimit -f "$max_blocks"
TMPDIR=$work nice -n 19 $idle timeout -k 10 "$limit_s" \
  oscap xccdf eval --profile "$profile" --results-arf results "$content" >said 2>&1 </dev/null
status=$?
case $status in
0 | 2) ;;
124 | 137) say late ;;
*) say "failed: status $status $(tail -n 3 said | tr -c '[:print:]' ' ' | head -c 500)" ;;
esac
[ -s results ] || say 'failed: it wrote no results'
echo results
gzip -1c results
