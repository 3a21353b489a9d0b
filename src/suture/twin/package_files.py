"""The files of a patch set on this machine: what a twin is given, since it can fetch nothing."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from suture.core.selection.ledger import Change
from suture.hosts.shell import quote
from suture.hosts.steps import read_query
from suture.hosts.transport import Transport

CACHE = "/var/lib/suture/cache"

PACKAGES = "/run/suture/packages"
"""Where a twin sees the packages that it was given."""

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~%_-]{0,250}")


class PackageFilesError(Exception):
    """A package file could not be had, or is not what was planned."""


def file_name(package: str, version: str, arch: str) -> str:
    """The name that apt gives to a downloaded package."""
    name = f"{package}_{version.replace(':', '%3a')}_{arch}.deb"
    if not _SAFE.fullmatch(name):
        raise PackageFilesError(f"the plan names no valid package file: {name!r:.120}")
    return name


async def fetch_packages(transport: Transport, changes: Iterable[Change], directory: Path) -> None:
    """Bring the plan's packages and those they replace from the host's cache into ``directory``.

    Files that are there already are kept. The host must have acquired them. New ones are checked
    against the plan; the old ones are what the way back will use on the host itself.
    Raises :class:`PackageFilesError` and HostError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    os.utime(directory)
    for change in changes:
        new = directory / file_name(change.package, change.after, change.arch)
        if not (new.exists() and _matches(new.read_bytes(), change)):
            data = await _get(transport, new.name)
            if not _matches(data, change):
                raise PackageFilesError(
                    f"{transport.name}: its {new.name} is not what was planned; acquire again"
                )
            _write(new, data)
        if change.before is not None:
            old = directory / file_name(change.package, change.before, change.arch)
            if not old.exists():
                _write(old, await _get(transport, old.name))


async def provide_packages(way: Transport) -> None:
    """Put the packages given to a twin where a host keeps what it acquired; the steps check each.

    Raises :class:`PackageFilesError` and HostError.
    """
    script = (
        f"umask 077; mkdir -p {quote(CACHE)} && cd {quote(PACKAGES)} || exit 1\n"
        "for file in *.deb; do\n"
        f'    [ ! -f "$file" ] || cp "$file" {quote(CACHE)}/ || exit 1\n'
        "done\n"
    )
    result = await way.run(script, timeout_s=300)
    if result.exit:
        said = result.stderr.decode("utf-8", "replace").strip()[:300]
        raise PackageFilesError(f"the patch set could not be copied into the twin: {said}")


async def make_ready(way: Transport, script: str) -> None:
    """Run a script that a twin needs first. Raises :class:`PackageFilesError` and HostError."""
    _, failed = read_query(await way.run(script, timeout_s=900))
    if failed:
        raise PackageFilesError(f"the twin could not be made ready: {failed.reason}")


def discard_unused(directories: Path, *, days: int = 1) -> None:
    """Remove the patch sets below ``directories`` that were last fetched so long ago."""
    limit = time.time() - days * 86400
    for directory in directories.glob("*"):
        if directory.stat().st_mtime < limit:
            shutil.rmtree(directory, ignore_errors=True)


async def _get(transport: Transport, name: str) -> bytes:
    try:
        return await transport.get(f"{CACHE}/{name}")
    except OSError:
        raise PackageFilesError(
            f"{transport.name} has not acquired {name}; acquire the plan's packages first"
        ) from None


def _matches(data: bytes, change: Change) -> bool:
    return len(data) == change.size and hashlib.sha256(data).hexdigest() == change.sha256


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
