"""Which units are left running the old code until a reboot, whoever patches: Suture or a person."""

LEFT_RUNNING = (
    "^(dbus|dbus-broker|systemd-logind|systemd-user-sessions|user@.*|"
    "user-runtime-dir@.*|getty@.*|serial-getty@.*|console-getty|container-getty@.*|"
    "autovt@.*|display-manager|gdm3?|lightdm|sddm|xdm|NetworkManager|wpa_supplicant|"
    "networking|ifup@.*|ModemManager|docker|containerd|libvirtd|virtqemud|lxc|lxd|"
    "suture-[0-9a-f]+|(suture-twin|sshd?)@.*|unattended-upgrades|apt-daily.*|"
    "packagekit)[.]service$"
)
"""An extended regular expression of the names of units that hold up everything else. It holds no
quote of the shell's."""
