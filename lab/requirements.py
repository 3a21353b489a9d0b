"""What a machine needs to host the lab, tried rather than guessed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

from lab import archives, places

_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "dpkg-deb": "dpkg",
    "gpg": "gnupg",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "gzip": "gzip",
    "ip": "iproute2",
}
_NEEDED_GIB = 4


def missing() -> list[str]:
    """Everything that keeps this machine from hosting the fleet, each with its remedy.

    Empty where hosts can be booted. Reaching the mirror is tried by whoever builds a root.
    """
    machine = list(_machine())
    return machine or [*_tools(), *_disk(), *_archives()]


def _machine() -> Iterator[str]:
    name, _ = archives.distribution()
    if name not in ("debian", "ubuntu"):
        yield f"Debian or Ubuntu: this machine is {name or 'unknown'}; use one of those, or a VM"
    if os.geteuid() != 0:
        yield "root: booting hosts needs it; run again as root"
    elif problem := _namespaces():
        yield problem


def _namespaces() -> str:
    """Try what the hosts need: namespaces, and an overlay where their disks will be."""
    try:
        place = places.hosts()
        with tempfile.TemporaryDirectory(dir=place, prefix="trial-") as trial:
            done = subprocess.run(
                [
                    *("unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--"),
                    *("sh", "-c", _TRIAL, "sh", trial),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
    except OSError as error:
        return f"a writable directory for the hosts: {error}; set SUTURE_LAB_HOSTS to one"
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines()[-1:] or ["no message"]
    return (
        f"mounting an overlay in namespaces of its own below {place}: {said[0]}; "
        "in a container give it privileges (docker run --privileged) and set "
        "SUTURE_LAB_HOSTS to a directory on a volume, or use a VM"
    )


_TRIAL = """
cd "$1" && mkdir lower upper work root &&
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root && touch root/written
"""


def _tools() -> Iterator[str]:
    absent = {package for tool, package in _TOOLS.items() if not _has(tool)}
    if absent:
        names = " ".join(sorted(absent))
        yield f"the Debian packages {names}: run `apt-get install --no-install-recommends {names}`"


def _has(tool: str) -> bool:
    return (
        shutil.which(tool, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") is not None
    )


def _disk() -> Iterator[str]:
    for place in {places.cache(), places.hosts()}:
        free = shutil.disk_usage(place).free / 2**30
        if free < _NEEDED_GIB:
            yield f"{_NEEDED_GIB} GiB free in {place}: {free:.1f} GiB are; make room"


def _archives() -> Iterator[str]:
    try:
        archives.find_archives()
    except archives.NoArchivesError as error:
        yield f"the distribution's archive: {error}"
