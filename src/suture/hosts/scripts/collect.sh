# Reads everything about the host; nothing is written on it. A process costs the host a
# millisecond, and so do a few forks of the shell: what is short is read by the shell itself.
newline='
'
section clock
now=$(date +%s.%N)
printf '%s\n' "$now"
