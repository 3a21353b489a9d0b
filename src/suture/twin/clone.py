"""A host's root file system on this machine, without its data and secrets.

The host streams a tar archive of its local system file systems; whatever it sends is unpacked in
a container that sees an empty directory and nothing else, so a hostile archive harms only itself.
Directories below what is left out are kept, two levels deep: services look for them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import shlex
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

from suture.core.documents import Document
from suture.hosts.text import clean
from suture.hosts.transport import Result
from suture.twin import cgroups

_GLOB = re.compile(r"[*?\[\]]")
_ADDRESS = re.compile(r"\binet6? ([0-9A-Fa-f.:]{2,45})/")
_MAX_ADDRESSES = 64
_RESERVE_BYTES = 2 * 2**30
_SYSTEM = "usr|var|boot|opt|etc|root|lib|lib64|bin|sbin"
_DISKS = "ext2|ext3|ext4|xfs|btrfs|f2fs|jfs|reiserfs|zfs|vfat"
_ATTRIBUTES = (
    *("--numeric-owner", "--acls", "--xattrs"),
    *("--xattrs-include=user.*", "--xattrs-include=security.capability"),
)
Progress = Callable[[int], None]


class CloneError(Exception):
    """A host could not be cloned; the message says why and what to do."""


class Clone(Document, frozen=True):
    """``root`` is the directory of the clone, ``addresses`` the host's own; ``bytes`` were sent."""

    host: str
    root: str
    addresses: tuple[str, ...]
    left_out: tuple[str, ...]
    taken_at: datetime
    bytes: int
    seconds: float


class Streaming(Protocol):
    """What cloning needs of a transport."""

    name: str

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result: ...

    def stream(
        self, script: str, *, accept: tuple[int, ...] = (0,), idle_s: float = 120.0
    ) -> AsyncIterator[bytes]: ...


async def stream_root(
    transport: Streaming,
    target: Path,
    exclude: tuple[str, ...],
    *,
    max_bytes: int = 64 * 2**30,
    on_progress: Progress | None = None,
) -> int:
    """Unpack the host's root file system into ``target``, an empty directory; the bytes sent.

    ``exclude`` are absolute paths or shell patterns. Raises :class:`CloneError`, and HostError
    where the host cannot be reached.
    """
    await _need_space(transport, target, exclude, max_bytes)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="unpack-") as shell:
        received = await _unpack(transport, Path(shell), target, exclude, max_bytes, on_progress)
    _check_system(transport.name, target)
    return received


async def _unpack(
    transport: Streaming,
    shell: Path,
    target: Path,
    exclude: tuple[str, ...],
    max_bytes: int,
    on_progress: Progress | None,
) -> int:
    received = 0
    errors = shell / "errors"
    with errors.open("wb") as log:
        process = await _start_unpacker(shell, target, log)
    assert process.stdin
    try:
        async for chunk in transport.stream(archive_script(exclude), accept=(0, 1)):
            received += len(chunk)
            if received > max_bytes:
                raise CloneError(
                    f"{transport.name}: the clone is larger than {max_bytes >> 30} GiB; "
                    "leave out more (twin.exclude in the policy)"
                )
            process.stdin.write(chunk)
            await process.stdin.drain()
            if on_progress:
                on_progress(received)
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        pass
    except BaseException:
        process.kill()
        process.stdin.close()
        await process.wait()
        raise
    if await process.wait():
        said = clean(_first_lines(errors)) or f"status {process.returncode}"
        raise CloneError(f"{transport.name}: its archive could not be unpacked: {said}")
    return received


async def host_addresses(transport: Streaming) -> tuple[str, ...]:
    """The addresses that the host answers at, without loopback and link-local ones."""
    result = await transport.run("ip -o address show\n")
    found = []
    for word in _ADDRESS.findall(result.stdout.decode("ascii", "replace")):
        try:
            address = ipaddress.ip_address(word)
        except ValueError:
            continue
        if not (address.is_loopback or address.is_link_local or address.is_unspecified):
            found.append(str(address))
    return tuple(dict.fromkeys(found))[:_MAX_ADDRESSES]


def archive_script(exclude: Iterable[str]) -> str:
    """Writes the archive to standard output: first the directories below what is left out."""
    patterns = tuple(pattern.rstrip("/") for pattern in exclude)
    plain = [pattern for pattern in patterns if not _GLOB.search(pattern)]
    # `*` below a directory leaves the directory itself; a pattern of files leaves them out whole.
    excluded = [
        shlex.quote(f"--exclude=.{p}/*" if p in plain else f"--exclude=.{p}") for p in patterns
    ]
    below = " ".join(shlex.quote(f".{path}") for path in plain)
    options = " ".join(shlex.quote(option) for option in _ATTRIBUTES)
    return f"""
cd / || exit 2
mounts=$(awk '$5 ~ "^/({_SYSTEM})(/|$)" {{
    for (n = 7; $n != "-"; n++);
    if ($(n + 1) ~ "^({_DISKS})$" && $5 !~ /\\\\/) print "." $5
}}' /proc/self/mountinfo)
find {below or "./nothing"} -xdev -mindepth 1 -maxdepth 2 -type d -print0 2>/dev/null |
    tar {options} --null --no-recursion --no-wildcards -T - -cf - || exit 2
exec tar {options} --sparse --one-file-system --anchored --wildcards --wildcards-match-slash \\
    {" ".join(excluded)} -cf - . $mounts
"""


def size_script(exclude: Iterable[str]) -> str:
    """Prints how many KiB the clone will need, as far as the root's own file system goes."""
    options = " ".join(shlex.quote(f"--exclude={pattern.rstrip('/')}") for pattern in exclude)
    return (
        f"du -skx {options} / /usr /var /boot 2>/dev/null | awk '{{ s += $1 }} END {{ print s }}'\n"
    )


async def _need_space(
    transport: Streaming, target: Path, exclude: tuple[str, ...], max_bytes: int
) -> None:
    result = await transport.run(size_script(exclude), timeout_s=300)
    answer = result.stdout.strip()
    if not answer.isdigit():
        raise CloneError(f"{transport.name}: the size of its root could not be found out")
    need, free = int(answer) * 1024, shutil.disk_usage(target).free
    if need > max_bytes:
        raise CloneError(
            f"{transport.name}: its root holds {need / 2**30:.1f} GiB, more than the "
            f"{max_bytes / 2**30:.1f} GiB a clone may have; leave out more (twin.exclude)"
        )
    if need + _RESERVE_BYTES > free:
        raise CloneError(
            f"{transport.name}: its clone needs {need / 2**30:.1f} GiB and some room to work, "
            f"{free / 2**30:.1f} GiB are free in {target}; make room or leave out more"
        )


async def _start_unpacker(shell: Path, target: Path, log: IO[bytes]) -> asyncio.subprocess.Process:
    """tar, in a container that has this machine's programs to read and ``target`` to write.

    It may not make device nodes: an archive that has some is refused.
    """
    for directory in ("usr", "target", "proc", "dev", "run", "tmp", "etc"):
        (shell / directory).mkdir()
    for link in ("bin", "sbin", "lib", "lib64"):
        if Path("/usr", link).exists():
            (shell / link).symlink_to(f"usr/{link}")
    return await asyncio.create_subprocess_exec(
        *("systemd-nspawn", "--quiet", "--register=no", "--pipe", "--as-pid2"),
        *([] if cgroups.systemd_runs() else ["--keep-unit"]),
        *("--private-network", "--private-users=identity", "--drop-capability=CAP_MKNOD"),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
        *("--machine", f"unpack-{uuid.uuid4().hex[:12]}"),
        *("--directory", str(shell), "--bind-ro=/usr", f"--bind={target}:/target"),
        *("--", "/usr/bin/tar", *_ATTRIBUTES, "--preserve-permissions", "--same-owner"),
        *("--ignore-zeros", "--delay-directory-restore", "-C", "/target", "-xf", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _first_lines(errors: Path) -> bytes:
    """What tar complained about first; a hostile archive may make it complain without end."""
    with errors.open("rb") as file:
        return file.read(600)


def _check_system(host: str, root: Path) -> None:
    """Whether this is an operating system that can be booted and patched."""
    wanted = {
        "its release (os-release)": ("etc/os-release", "usr/lib/os-release"),
        "dpkg's records": ("var/lib/dpkg/status",),
        "systemd": ("lib/systemd/systemd", "usr/lib/systemd/systemd"),
    }
    for what, paths in wanted.items():
        if not any(_is_inside(root, path) for path in paths):
            raise CloneError(
                f"{host}: the clone has no {what}, so it cannot be rehearsed on; see that "
                "twin.exclude leaves the system itself in, or use a staging host as the first ring"
            )


def _is_inside(root: Path, path: str) -> bool:
    """Whether the file is there, looked for without leaving the clone by a link."""
    at = root
    for part in path.split("/"):
        at /= part
        if at.is_symlink() and (at.readlink().is_absolute() or ".." in at.readlink().parts):
            return at.name == "os-release"
    return at.exists()
