"""A booted container on this machine, entered through the namespaces of its first process."""

from __future__ import annotations

from pathlib import Path

from suture.hosts.transport import FailureKind
from suture.hosts.transport.local import LocalTransport
from suture.hosts.transport.shell import Limits, Pipes


class ContainerTransport(LocalTransport):
    """Runs scripts inside the container whose init is ``leader`` (a pid on this machine).

    Needs root: entering another's namespaces is nothing that sudo rules should give away.
    """

    def __init__(self, name: str, leader: int, *, limits: Limits | None = None) -> None:
        super().__init__(name, limits=limits)
        self._leader = leader

    async def _start(self, argv: list[str]) -> Pipes:
        enter = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w"]
        if self._has_own_users():
            enter.append("-U")
        return await super()._start([*enter, "--", *argv])

    def _has_own_users(self) -> bool:
        """A user namespace of its own must be entered, or the container's programs would run
        with this machine's privileges; one that is ours cannot be entered again."""
        try:
            theirs = Path(f"/proc/{self._leader}/ns/user").stat()
        except OSError:
            raise self._failed(
                FailureKind.UNREACHABLE,
                "the container is down",
                "Look at its console for why it ended.",
            ) from None
        return theirs.st_ino != Path("/proc/self/ns/user").stat().st_ino
