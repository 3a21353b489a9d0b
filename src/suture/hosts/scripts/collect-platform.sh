# What the system runs on, and the modules that it builds for its kernels.
section platform
has systemd-detect-virt && printf 'virtualization %s\n' "$(systemd-detect-virt -v)"
awk -F ': *' '/^vendor_id/ { print "cpu", $2; exit }' /proc/cpuinfo
[ ! -d /var/lib/dkms ] || for module in /var/lib/dkms/*/; do
  [ ! -d "$module" ] || printf 'dkms %s\n' "$(basename "$module")"
done | head -n 200
