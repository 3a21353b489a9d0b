"""Root file systems of hosts, built once and kept.

A root is made from the release archive alone and only afterwards told of the security archive,
so its hosts boot with the real updates of today waiting, and with warm package lists.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from lab import archives, places, repository
from suture.twin.containers import containers

_COMMON = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "ca-certificates", "cron"),
    *("curl", "iproute2", "procps", "needrestart", "python3-minimal", "libpython3-stdlib"),
    *("init-system-helpers", "openssl"),
)
_BOOTABLE = ("initramfs-tools", "linux-image-cloud-amd64")
FLAVOURS = {
    "web": (*_COMMON, "nginx-light"),
    "app": (*_COMMON, "xz-utils", "libxml2", "rsync"),
    "kernel": (*_COMMON, *_BOOTABLE),
    "volumes": (
        *(*_COMMON, *_BOOTABLE),
        *("lvm2", "thin-provisioning-tools", "btrfs-progs", "snapper"),
    ),
}
_KEYRINGS = {"debian": "debian-archive-keyring", "ubuntu": "ubuntu-keyring"}
_KEPT_S = 86_400
_OLDER = ("bullseye", "buster", "focal")


class RootError(Exception):
    """A root could not be built."""


def root(flavour: str = "web", suite: str | None = None) -> Path:
    """The root's directory, built where it is not there yet; nobody writes to it.

    One process builds, others wait for it. Raises :class:`RootError` or
    :class:`lab.archives.NoArchivesError`.
    """
    found = archives.find_archives()
    suite = suite or found.suite
    lock = places.cache() / f"{suite}-{flavour}.lock"
    target = places.cache() / f"{suite}-{flavour}-{_key(found, flavour, suite)}"
    with places.locked(lock):
        if not target.is_dir():
            _build(found, flavour, suite, target)
        os.utime(target)
    return target


def _key(found: archives.Archives, flavour: str, suite: str) -> str:
    inputs = (
        *FLAVOURS[flavour],
        _sources(found, suite),
        repository.inputs_digest(),
        hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
    )
    return hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:12]


def _build(found: archives.Archives, flavour: str, suite: str, target: Path) -> None:
    _discard_unused(f"{suite}-{flavour}-*")
    for interrupted in places.cache().glob(f"part-{suite}-{flavour}-*"):
        shutil.rmtree(interrupted)
    part = Path(tempfile.mkdtemp(dir=places.cache(), prefix=f"part-{suite}-{flavour}-"))
    try:
        _bootstrap(found, flavour, suite, part / "root")
        (part / "root").rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _discard_unused(pattern: str) -> None:
    """Delete outdated roots that no host stands on and that nobody asked for since yesterday."""
    in_use: set[Path] = set()
    for container in containers(places.hosts() / "hosts"):
        with suppress(FileNotFoundError):  # it was just removed
            in_use.update(Path(layer) for layer in container.spec.layers)
    for old in set(places.cache().glob(pattern)) - in_use:
        if time.time() - old.stat().st_mtime > _KEPT_S:
            shutil.rmtree(old)


def _bootstrap(found: archives.Archives, flavour: str, suite: str, target: Path) -> None:
    include = [*FLAVOURS[flavour], _KEYRINGS[found.distribution]]
    if suite in _OLDER:
        include.remove("libpython3-stdlib")
        include.append("python3")
    debs = repository.old_versions()
    names = " ".join(f"/tmp/{deb.name}" for deb in debs)
    chroot = 'chroot "$1"'
    hooks = [
        *(f'copy-in "{deb}" /tmp' for deb in debs),
        f"{chroot} dpkg --install {names}",
        f"{chroot} rm {names}",
        f"printf '%s' '{_sources(found, suite)}' >\"$1/etc/apt/sources.list\"",
        'rm -f "$1"/etc/apt/sources.list.d/*',
        f"{chroot} apt-get update --quiet",
        f"{chroot} apt-get clean",
        'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/resolv.conf',
        ': >"$1/etc/machine-id" && ln -sf /etc/machine-id "$1/var/lib/dbus/machine-id"',
    ]
    command = [
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=apt", "--format=directory"),
        *("--skip=cleanup/apt/lists", "--skip=cleanup/reproducible"),
        f"--include={','.join(include)}",
        *(f"--aptopt={line.strip()}" for line in archives.proxy_settings().splitlines()),
        *(f"--customize-hook={hook}" for hook in hooks),
        *(suite, str(target), found.release_line(suite)),
    ]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        said = "\n".join(built.stderr.strip().splitlines()[-15:])
        raise RootError(f"mmdebstrap could not build {suite} ({flavour}):\n{said}")


def _sources(found: archives.Archives, suite: str) -> str:
    lines = found.release_line(suite), found.updates_line(suite), found.security_line(suite)
    return "".join(f"{line}\n" for line in lines if line)
