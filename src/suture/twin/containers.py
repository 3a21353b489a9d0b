"""Containers of this machine, each in a directory that tells all about it.

The directory holds what was asked for (``spec.json``), how it stands (``status.json``), the
console and the container's own writes. Whoever finds it can stop the container and remove it.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from suture.core.documents import decode, encode
from suture.hosts.shell import printable
from suture.twin import cgroups
from suture.twin.processes import Process
from suture.twin.supervisor import CONSOLE, SPEC, STATUS, Spec, Status, forget

_TAIL = 4000


class ContainerError(Exception):
    """A container could not be started or did not come up; ``console`` is what it last said."""

    def __init__(self, message: str, console: str = "") -> None:
        super().__init__(message)
        self.console = console


class Container:
    """One container, in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._supervisor: subprocess.Popen[bytes] | None = None

    @classmethod
    def create(cls, directory: Path, spec: Spec) -> Container:
        """Write down what it shall be; ``directory`` exists and is empty."""
        (directory / SPEC).write_bytes(encode(spec))
        return cls(directory)

    @property
    def spec(self) -> Spec:
        return decode((self.directory / SPEC).read_bytes(), Spec)

    @property
    def status(self) -> Status | None:
        """How it stands, None where it was never started."""
        status = self._recorded()
        if status is None or status.supervisor.is_alive:
            return status
        return msgspec.structs.replace(status, leader=None, ready=False, ended=True)

    @property
    def leader(self) -> Process | None:
        """The container's init, None while it is down."""
        status = self.status
        return status.leader if status and status.leader and status.leader.is_alive else None

    @property
    def boots(self) -> int:
        status = self.status
        return status.boots if status else 0

    @property
    def console(self) -> str:
        """The end of what it printed while booting and running."""
        try:
            with (self.directory / CONSOLE).open("rb") as console:
                console.seek(max(0, console.seek(0, 2) - _TAIL))
                return printable(console.read())
        except FileNotFoundError:
            return ""

    def start(self) -> None:
        """Boot it; returns at once. Starting what runs does nothing."""
        if self.is_running:
            return
        (self.directory / STATUS).unlink(missing_ok=True)
        network = ["--net"] if self.spec.isolated else []
        with (self.directory / "supervisor.log").open("ab") as log:
            self._supervisor = subprocess.Popen(
                [
                    *("unshare", "--mount", "--propagation", "slave", *network, "--"),
                    *(sys.executable, "-m", "suture.twin.supervisor", str(self.directory)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        status = self.status
        return status is not None and not status.ended

    def wait_ready(self, timeout_s: float, *, boots: int = 1) -> Process:
        """Wait until it has booted at least ``boots`` times and its init says that it is done.

        Raises :class:`ContainerError` where it ends before or takes longer.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            supervisor, status = self._supervisor, self.status
            if status is None and supervisor is None:
                raise ContainerError(f"{self.directory.name}: it was taken away while booting")
            if status and status.ended:
                raise self._failed(status.failure or "it powered off while booting")
            if status and status.ready and status.boots >= boots and status.leader:
                return status.leader
            if supervisor and supervisor.poll() is not None:
                raise self._failed(self._log("supervisor.log"))
            time.sleep(0.02)
        raise self._failed(f"it did not come up within {timeout_s:g} s")

    def stop(self, *, timeout_s: float = 30.0) -> None:
        """Power it off in an orderly way; it can be started again."""
        status = self.status
        if status and not status.ended:
            status.supervisor.kill(signal.SIGTERM, wait_s=timeout_s)
        self.kill()

    def kill(self) -> None:
        """Take its power away."""
        if self._supervisor:
            self._supervisor.kill()
            self._supervisor.wait()
            self._supervisor = None
        status = self._recorded()
        if status is None:
            return
        ended = status.supervisor.kill() and (status.leader is None or status.leader.kill())
        if not (cgroups.remove(status.groups) and ended):
            raise ContainerError(f"{self.directory.name}: its processes do not end")

    def remove(self) -> None:
        """End it and delete its directory."""
        self.kill()
        with suppress(FileNotFoundError, msgspec.DecodeError):
            forget(self.spec.name)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _recorded(self) -> Status | None:
        try:
            return decode((self.directory / STATUS).read_bytes(), Status)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _log(self, name: str) -> str:
        return printable((self.directory / name).read_bytes()[-_TAIL:]).strip()

    def _failed(self, message: str) -> ContainerError:
        return ContainerError(f"{self.spec.name}: {message}", self.console)


def containers(directory: Path) -> Iterator[Container]:
    """All containers below ``directory``."""
    for spec in sorted(directory.glob(f"*/{SPEC}")):
        yield Container(spec.parent)


def reap(directory: Path) -> tuple[str, ...]:
    """End and remove the containers below ``directory`` whose owner is dead; their names."""
    reaped = []
    for container in containers(directory):
        try:
            spec = container.spec
        except (FileNotFoundError, msgspec.DecodeError):
            continue
        if spec.owner is not None and not spec.owner.is_alive:
            container.remove()
            reaped.append(spec.name)
    return tuple(reaped)
