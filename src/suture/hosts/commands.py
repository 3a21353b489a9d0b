"""Commands of the organisation's own on this machine, which may do anything but go on for ever."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from suture.hosts.transaction import LOG_TAIL

_GRACE_S = 5.0


async def run_command(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    timeout_s: float,
    cwd: str = "/",
    leave_running: bool = True,
) -> tuple[int | None, bytes]:
    """Exit status, None where the time was over, and the end of what was printed. A process that
    is not waited for any more is stopped with all that it started; what one that ended left
    running is stopped without ``leave_running``. Raises OSError where it cannot be started."""
    ours, theirs = os.pipe()
    reader = asyncio.StreamReader()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", 0)
    )
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=theirs,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )
    except OSError:
        pipe.close()
        raise
    finally:
        os.close(theirs)
    tail = bytearray()
    reading = asyncio.ensure_future(_read(reader, tail))
    try:
        async with asyncio.timeout(timeout_s):
            status: int | None = await process.wait()
    except TimeoutError:
        status = None
    finally:
        # What a command leaves behind in its session may hold the pipe open for ever.
        await asyncio.wait({reading}, timeout=0.0 if process.returncode is None else 1.0)
        if process.returncode is None:
            await _stop(process)
        if not leave_running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        reading.cancel()
        pipe.close()
    return status, bytes(tail)


async def _read(stream: asyncio.StreamReader, tail: bytearray) -> None:
    while data := await stream.read(LOG_TAIL):
        tail += data
        del tail[: -2 * LOG_TAIL]


async def _stop(process: asyncio.subprocess.Process) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await process.wait()
                return
