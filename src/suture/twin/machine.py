"""Twins: clones of hosts, booted where they reach nothing and nobody.

Everything is below one directory: ``clones`` (kept, nobody writes to them) and ``machines`` (one
booted twin each, its writes above a clone, gone with it or with the process that made it).
"""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import msgspec

from suture.core.documents import Document, decode, encode
from suture.hosts.transport import FailureKind, HostError, HostFailure, Transport
from suture.hosts.transport.container import ContainerTransport
from suture.twin import vm, way_in
from suture.twin.clone import Clone, Progress, Streaming, host_addresses, stream_root
from suture.twin.containers import Container, ContainerError, containers, reap
from suture.twin.package_files import PACKAGES
from suture.twin.processes import this_process
from suture.twin.supervisor import Spec
from suture.twin.vm import VirtualTwin

# Units that wait for a network that never comes, set up hardware or a cloud's instance, or would
# hold the package manager's lock.
_MASKED = (
    *("systemd-networkd-wait-online.service", "NetworkManager-wait-online.service"),
    *("ifupdown-wait-online.service", "networking.service", "NetworkManager.service"),
    *("systemd-networkd.service", "systemd-networkd.socket", "dhcpcd.service"),
    *("cloud-init.service", "cloud-init-local.service", "cloud-config.service"),
    *("cloud-final.service", "lvm2-monitor.service", "multipathd.service", "iscsid.service"),
    *(
        "open-iscsi.service",
        "smartmontools.service",
        "mdmonitor.service",
        "qemu-guest-agent.service",
    ),
    *("chrony.service", "ntpsec.service", "systemd-timesyncd.service", "fstrim.timer"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "unattended-upgrades.service"),
)
_BOOT_ARGUMENTS = ("fstab=no", *(f"systemd.mask={unit}" for unit in _MASKED))

# The host's transactions are not the twin's, and its host keys stayed at home.
_PREPARE = """
rm -rf /var/lib/suture
if command -v ssh-keygen >/dev/null; then ssh-keygen -A >/dev/null; fi
"""


class TwinSettings(Document, frozen=True):
    """Limits in seconds and bytes. An older clone than ``clone_age_s`` is taken anew."""

    boot_s: float = 180.0
    clone_age_s: float = 3600.0
    clone_bytes: int = 64 * 2**30


class Twin:
    """A booted twin."""

    def __init__(self, clone: Clone, container: Container) -> None:
        self.clone = clone
        self._container = container

    @property
    def console(self) -> str:
        """The end of what its console showed."""
        return self._container.console

    @property
    def leader_pid(self) -> int:
        """This machine's pid of its init; raises HostError while the twin is down."""
        status = self._container.status
        if status is None or not status.ready or status.leader is None:
            raise HostError(
                HostFailure(
                    host=self.clone.host,
                    kind=FailureKind.UNREACHABLE,
                    message="its twin is down or booting",
                    remedy="see the twin's console in the rehearsal's record",
                )
            )
        return status.leader.pid

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Transport]:
        """A way in that needs no network; raises HostError while the twin is down."""
        transport = ContainerTransport(self.clone.host, self.leader_pid)
        try:
            yield transport
        finally:
            await transport.close()

    @asynccontextmanager
    async def ssh(self, directory: Path) -> AsyncIterator[Path]:
        """The configuration for ``ssh -F`` by which this twin, as long as it does not reboot, is
        ``twin``. Raises OSError where it has no sshd, and HostError."""
        transport = ContainerTransport(self.clone.host, self.leader_pid)
        try:
            async with way_in.through(transport, transport.entrance(), directory) as config:
                yield config
        finally:
            await transport.close()


class Twins:
    """The clones and twins in ``directory``, which needs a file system for overlays."""

    def __init__(
        self,
        directory: Path,
        settings: TwinSettings | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clones = directory / "clones"
        self._machines = directory / "machines"
        for path in (self._clones, self._machines):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)
        self._settings = settings or TwinSettings()
        self._now = now
        self.reap()

    async def clone(
        self,
        transport: Streaming,
        package_set: str,
        exclude: tuple[str, ...],
        *,
        on_progress: Progress | None = None,
    ) -> Clone:
        """The host's clone: an earlier one of the same packages, or a new one.

        Raises :class:`suture.twin.clone.CloneError` and HostError.
        """
        key = f"{_word(transport.name)}-{_word(package_set)[:16]}"
        async with _locked(self._clones / f"{key}.lock"):
            if known := self._fresh(key, exclude):
                return known
            directory = self._clones / f"{key}.{uuid.uuid4().hex[:8]}"
            try:
                return await self._take(transport, directory, exclude, on_progress)
            except BaseException:
                await asyncio.to_thread(shutil.rmtree, directory, True)
                raise

    @asynccontextmanager
    async def boot(self, clone: Clone, packages: Path | None = None) -> AsyncIterator[Twin]:
        """A twin of ``clone``, from a fresh disk above it; ``packages`` is shown to it read-only.

        Raises :class:`ContainerError` with the end of the console where it does not come up.
        """
        directory = self._machines / uuid.uuid4().hex[:12]
        directory.mkdir()
        spec = Spec(
            name=f"twin-{directory.name}",
            layers=(clone.root,),
            arguments=(
                *("--resolv-conf=off", "--timezone=off", f"--hostname={_word(clone.host)}"),
                *([f"--bind-ro={packages}:{PACKAGES}"] if packages else []),
            ),
            prepare=_PREPARE,
            owner=this_process(),
            isolated=True,
            addresses=clone.addresses,
            boot_arguments=_BOOT_ARGUMENTS,
        )
        container = Container.create(directory, spec)
        try:
            container.start()
            await asyncio.to_thread(container.wait_ready, self._settings.boot_s)
            yield Twin(clone, container)
        finally:
            await asyncio.to_thread(container.remove)

    @asynccontextmanager
    async def boot_machine(self, clone: Clone, packages: Path) -> AsyncIterator[VirtualTwin]:
        """A twin that is a virtual machine with the clone's own kernel.

        Raises :class:`ContainerError` with the end of the console where it does not come up.
        """
        async with vm.boot(clone, self._machines, packages, _BOOT_ARGUMENTS) as twin:
            yield twin

    def reap(self) -> tuple[str, ...]:
        """Remove twins whose process died, and clones that are old and unused."""
        reaped = reap(self._machines)
        vm.reap(self._machines)
        used = {layer for one in containers(self._machines) for layer in one.spec.layers}
        for directory in self._clones.iterdir():
            if directory.is_dir() and str(directory / "root") not in used:
                self._remove_old(directory)
        return reaped

    def _remove_old(self, directory: Path) -> None:
        """One that is not whole belongs to whoever takes it right now, or to nobody."""
        taken = _is_locked(self._clones / f"{directory.stem}.lock")
        known = _read_clone(directory)
        if not (taken if known is None else self._is_fresh(known)):
            shutil.rmtree(directory, ignore_errors=True)

    def _fresh(self, key: str, exclude: tuple[str, ...]) -> Clone | None:
        known = (_read_clone(directory) for directory in self._clones.glob(f"{key}.*"))
        fresh = [one for one in known if one and self._is_fresh(one) and one.left_out == exclude]
        return max(fresh, key=lambda one: one.taken_at, default=None)

    def _is_fresh(self, clone: Clone) -> bool:
        return self._now() - clone.taken_at < timedelta(seconds=self._settings.clone_age_s)

    async def _take(
        self,
        transport: Streaming,
        directory: Path,
        exclude: tuple[str, ...],
        on_progress: Progress | None,
    ) -> Clone:
        root = directory / "root"
        root.mkdir(parents=True)
        began = self._now()
        sent = await stream_root(
            transport,
            root,
            exclude,
            max_bytes=self._settings.clone_bytes,
            on_progress=on_progress,
        )
        clone = Clone(
            host=transport.name,
            root=str(root),
            addresses=await host_addresses(transport),
            left_out=exclude,
            taken_at=began,
            bytes=sent,
            seconds=round((self._now() - began).total_seconds(), 1),
        )
        (directory / "clone.json").write_bytes(encode(clone))
        return clone


def _read_clone(directory: Path) -> Clone | None:
    try:
        return decode((directory / "clone.json").read_bytes(), Clone)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def _word(name: str) -> str:
    """A name that is safe as part of a path and of an option."""
    return (
        "".join(c if c.isascii() and c.isalnum() else "-" for c in name)[:63].strip("-") or "host"
    )


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    """One at a time, in all processes; who waits can be interrupted."""
    with path.open("w") as file:
        while not _try_lock(file):  # noqa: ASYNC110 (processes share it)
            await asyncio.sleep(0.2)
        yield


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_locked(path: Path) -> bool:
    with path.open("a") as file:
        return not _try_lock(file)


__all__ = ["Clone", "ContainerError", "Twin", "TwinSettings", "Twins"]
