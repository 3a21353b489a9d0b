# What the system runs on, and the modules that it builds for its kernels.
section platform
has systemd-detect-virt && printf 'virtualization %s\n' "$(systemd-detect-virt -v)"
# The vendor is in one of the first lines, where there is one.
for _ in 1 2; do
  IFS=: read -r key value
  case $key in vendor_id*) printf 'cpu %s\n' "${value# }" ;; esac
done </proc/cpuinfo
[ ! -d /var/lib/dkms ] || for module in /var/lib/dkms/*/; do
  [ ! -d "$module" ] || printf 'dkms %s\n' "$(basename "$module")"
done | head -n 200
