"""Machines whose system lies on volumes: the lab's root on a disk of its own, booted by QEMU.

The kernel and its initial file system are Debian's, which find the root as on any such host. They
are handed to QEMU, so no boot loader has a part in it. A thin pool needs a device mapper, which the
kernel of the tests' own machine may lack: the initial file system makes it in the first boot.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncssh

from suture.hosts.transport import HostError
from suture.twin.clone import Clone
from suture.twin.vm import WAIT_BOOTED, VirtualTwin

_BOOT_S = 600.0
_NETWORK = "192.0.2"
_DISK_BYTES = 6 << 30
_MODULES = ("virtio_pci", "virtio_blk", "ext4", "btrfs", "dm_mod", "dm_thin_pool")
_NETWORKD = f"[Match]\nName=eth0\n[Network]\nAddress={_NETWORK}.15/24\n"
_MAKE_THIN = """#!/bin/sh
[ "$1" != prereqs ] || exit 0
udevadm settle
[ -b /dev/vdc ] && ! lvm lvs vg/root >/dev/null 2>&1 || exit 0
exec >/dev/console 2>&1
lvm pvcreate -y /dev/vdc
lvm vgcreate vg /dev/vdc
lvm lvcreate -y --type thin-pool --zero n -L 5g -n pool vg
lvm lvcreate -y --thin -V 4g -n root vg/pool
dd if=/dev/vda of=/dev/mapper/vg-root bs=4194304
udevadm settle
"""


class Layout:
    """How the disks of a machine are made, and what its kernel and fstab say about them."""

    arguments: str
    fstab: str
    first_boot: str = ""

    def make(self, root: Path, directory: Path) -> tuple[Path, ...]:
        """The disks in their order, ``vda`` first; the root's /boot is part of it."""
        raise NotImplementedError


class Thin(Layout):
    """The root is a thin volume, and /boot a file system of its own, as boot loaders need it."""

    arguments = "root=/dev/mapper/vg-root"
    fstab = "/dev/mapper/vg-root / ext4 defaults 0 1\n/dev/vdb /boot ext4 defaults 0 2\n"
    first_boot = _MAKE_THIN

    def make(self, root: Path, directory: Path) -> tuple[Path, ...]:
        source, boot, disk = (directory / f"{name}.img" for name in ("source", "boot", "disk"))
        _ext4(boot, root / "boot", "256M")
        shutil.rmtree(root / "boot")
        (root / "boot").mkdir()
        _ext4(source, root, "2G")
        _sparse(disk)
        return source, boot, disk


class Btrfs(Layout):
    """The root is the subvolume ``@`` of a Btrfs, and holds /boot."""

    arguments = "root=/dev/vda rootflags=subvol=@"
    fstab = "/dev/vda / btrfs subvol=@ 0 0\n"

    def make(self, root: Path, directory: Path) -> tuple[Path, ...]:
        disk = directory / "disk.img"
        _sparse(disk)
        _call("mkfs.btrfs", "-q", str(disk))
        top = directory / "top"
        top.mkdir()
        _call("mount", "-o", "loop", str(disk), str(top))
        try:
            _call("btrfs", "subvolume", "create", str(top / "@"))
            _call("cp", "-a", f"{root}/.", str(top / "@"))
        finally:
            _call("umount", str(top))
        return (disk,)


class Machine(VirtualTwin):
    """A booted machine; ``connect`` fails while it is down."""

    async def wait_booted(self, within_s: float = _BOOT_S) -> None:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            with suppress(HostError):
                async with self.connect() as way:
                    await way.run(WAIT_BOOTED, timeout_s=within_s)
                    return
        raise AssertionError(f"the machine did not come up:\n{self.console}")


@contextmanager
def machine(lab_root: Path, layout: Layout, directory: Path) -> Iterator[Machine]:
    """Boots one from fresh disks; ends with the ``with``."""
    kernel, initrd = directory / "vmlinuz", directory / "initrd.img"
    root = directory / "root"
    _call("cp", "-a", str(lab_root), str(root))
    _furnish(root, layout, directory)
    for file in (kernel, initrd):
        shutil.copy(root / file.name, file)
    disks = layout.make(root, directory)
    shutil.rmtree(root)
    port = _free_port()
    process = _boot(directory, disks, layout.arguments, port)
    try:
        yield Machine(_described("volumes"), directory, "tcg", port)
    finally:
        process.kill()
        process.wait()


def _furnish(root: Path, layout: Layout, directory: Path) -> None:
    """A way in, a network, and an initial file system that knows its disks."""
    ours, theirs = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    ours.write_private_key(directory / "key")
    theirs.write_public_key(directory / "host_key.pub")
    texts = {
        "root/.ssh/authorized_keys": (ours.export_public_key().decode(), 0o600),
        "etc/ssh/ssh_host_ed25519_key": (theirs.export_private_key().decode(), 0o600),
        "etc/systemd/network/eth0.network": (_NETWORKD, 0o644),
        "etc/fstab": (layout.fstab, 0o644),
        "etc/hostname": ("volumes\n", 0o644),
        "etc/initramfs-tools/modules": ("\n".join(_MODULES) + "\n", 0o644),
        "etc/initramfs-tools/conf.d/small": ("MODULES=list\n", 0o644),
    }
    if layout.first_boot:
        texts["etc/initramfs-tools/scripts/local-top/volumes"] = (layout.first_boot, 0o755)
    for path, (text, mode) in texts.items():
        file = root / path
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
    (root / "etc/systemd/network").chmod(0o755)
    _call("systemctl", f"--root={root}", "enable", "--quiet", "systemd-networkd.service")
    _call("chroot", str(root), "update-initramfs", "-u")


def _boot(
    directory: Path, disks: tuple[Path, ...], arguments: str, port: int
) -> subprocess.Popen[bytes]:
    network = (
        f"user,id=way,restrict=on,ipv6=off,net={_NETWORK}.0/24,host={_NETWORK}.2,"
        f"hostfwd=tcp:127.0.0.1:{port}-{_NETWORK}.15:22"
    )
    drives = (f"file={disk},format=raw,cache=unsafe,if=virtio" for disk in disks)
    with (directory / "console.log").open("wb") as console:
        return subprocess.Popen(
            (
                *("setpriv", "--pdeathsig=KILL", "qemu-system-x86_64", "-machine", "pc,accel=tcg"),
                *("-cpu", "max,la57=off", "-smp", str(min(2, os.cpu_count() or 1)), "-m", "1024"),
                *("-nodefaults", "-display", "none", "-serial", "stdio"),
                *("-kernel", str(directory / "vmlinuz"), "-initrd", str(directory / "initrd.img")),
                *("-append", f"{arguments} ro console=ttyS0 net.ifnames=0"),
                *(word for drive in drives for word in ("-drive", drive)),
                *("-netdev", network, "-device", "virtio-net-pci,netdev=way,romfile="),
                *("-device", "virtio-rng-pci"),
            ),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
        )


def _described(name: str) -> Clone:
    return Clone(name, "", (), (), datetime.now(UTC), 0, 0.0)


def _ext4(image: Path, tree: Path, size: str) -> None:
    _call("mkfs.ext4", "-q", "-F", "-E", "root_owner=0:0", "-d", str(tree), str(image), size)


def _sparse(image: Path) -> None:
    image.touch()
    os.truncate(image, _DISK_BYTES)


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def _call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout
