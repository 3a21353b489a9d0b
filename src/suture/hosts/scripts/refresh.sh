# The package lists anew; waits for another apt for $wait_s seconds. Prints what failed.
if ! has apt-get; then
  section said
  echo 'Suture refreshes the lists of apt alone'
  section end
  exit 0
fi
waited=0
while :; do
  said=$(apt-get -qq -o APT::Update::Error-Mode=any -o Acquire::Retries=2 \
    -o Acquire::AllowInsecureRepositories=false -o Acquire::AllowWeakRepositories=false \
    -o Acquire::AllowDowngradeToInsecureRepositories=false update 2>&1)
  status=$?
  case $said in *'Could not get lock'*) ;; *) break ;; esac
  [ "$waited" -lt "$wait_s" ] || break
  sleep 2
  waited=$((waited + 2))
done
section status
echo "$status"
section said
printf '%s\n' "$said" | grep '^[EW]:' | head -n 20
if [ "$status" = 0 ]; then (umask 077; mkdir -p /var/lib/suture; : >/var/lib/suture/indexes); fi
