"""A booted container on this machine, entered through the namespaces of its first process."""

from __future__ import annotations

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
        return await super()._start([*enter, "--", *argv])
