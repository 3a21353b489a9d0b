"""A booted container on this machine, entered through the namespaces of its first process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

from suture.hosts.transport import FailureKind, Result
from suture.hosts.transport.local import LocalTransport, ProcessPipes
from suture.hosts.transport.shell import Limits

_LOOK_S = 0.25


class ContainerTransport(LocalTransport):
    """Runs scripts inside the container whose init is ``leader`` (a pid on this machine).

    Needs root: entering another's namespaces is nothing that sudo rules should give away.
    """

    def __init__(self, name: str, leader: int, *, limits: Limits | None = None) -> None:
        super().__init__(name, limits=limits)
        self._leader = leader
        self._watches: set[asyncio.Task[None]] = set()

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result:
        """As over SSH, a shutdown that kills the script is a lost connection, and no answer."""
        result = await super().run(script, stdin=stdin, timeout_s=timeout_s)
        if result.exit == -1:
            raise self._lost("its shell was killed")
        return result

    def entrance(self) -> tuple[str, ...]:
        """The command before a command that is to run inside; raises HostError."""
        users = ("-U",) if self._has_own_users() else ()
        return (
            *("nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w"),
            *(*users, "--"),
        )

    async def _start(self, argv: list[str]) -> ProcessPipes:
        pipes = await super()._start([*self.entrance(), *argv])
        watch = asyncio.create_task(_keep_awake(pipes.process))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        return pipes

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


async def _keep_awake(process: asyncio.subprocess.Process) -> None:
    """Let nsenter go on until it ends, for it stops itself when its child is stopped.

    A container that shuts down stops every process before it kills them. A stopped nsenter would
    never collect its dead child, and the container's init would wait for that for ever.
    """
    while process.returncode is None:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            stat = Path(f"/proc/{process.pid}/stat").read_text()
            if stat.rpartition(")")[2].split()[0] == "T":
                process.send_signal(signal.SIGCONT)
        await asyncio.sleep(_LOOK_S)
