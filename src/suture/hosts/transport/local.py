"""This machine, by processes of its own: as root, or through ``sudo -n``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from suture.hosts.transport import FailureKind
from suture.hosts.transport.shell import Limits, ShellTransport


class ProcessPipes:
    """The pipes of a child process, which leads a process group of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._stderr = process.stderr

    async def write(self, data: bytes) -> None:
        self._stdin.write(data)
        await self._stdin.drain()

    async def write_eof(self) -> None:
        self._stdin.close()

    async def read(self, size: int) -> bytes:
        return await self._stdout.read(size)

    async def read_error(self, size: int) -> bytes:
        return await self._stderr.read(size)

    async def wait(self) -> int:
        return max(await self.process.wait(), -1)

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


class LocalTransport(ShellTransport):
    """Runs scripts on this machine. Not root: through ``sudo -n``."""

    def __init__(self, name: str = "local", *, limits: Limits | None = None) -> None:
        user = "root" if os.geteuid() == 0 else _user_name()
        super().__init__(name, user=user, limits=limits)

    async def _start(self, argv: list[str]) -> ProcessPipes:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                env={"HOME": "/root", "PATH": os.defpath, "LC_ALL": "C"},
            )
        except OSError as error:
            raise self._failed(
                FailureKind.PRIVILEGE if argv[0] == "sudo" else FailureKind.UNSUPPORTED,
                f"cannot start {argv[0]}: {error.strerror}",
                "Run as root, or install sudo." if argv[0] == "sudo" else "Install it.",
            ) from None
        return ProcessPipes(process)


def _user_name() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
