"""The verbs of a transport, for any way that starts a process with three pipes.

The command line is fixed and tells nothing: a shell that reads the script's length from its one
argument and the script from standard input. What follows on standard input is the script's own.
The shell first prints a mark: a missing mark means that the script never ran, so a refusal by
sudo is never mistaken for the script's failure, nor a chatty login shell for its output.
"""

from __future__ import annotations

import asyncio
import shlex
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Protocol

from suture.core.documents import Document
from suture.hosts.text import clean
from suture.hosts.transport import FailureKind, HostError, HostFailure, Result

_MARK = b"\x1esuture\x1e"
_BOOTSTRAP = (
    "LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; "
    "export LC_ALL PATH; umask 022; cd /; "
    r"printf '\036suture\036'; "
    'script=$(head -c "$1"); shift; eval "$script"'
)
_PREAMBLE = 65536
_CHUNK = 262144
_NO_SUCH_FILE = 44


class Limits(Document, frozen=True):
    """Bytes of output kept per script. More standard output than this is a failure; standard
    error is cut."""

    stdout: int = 64 * 2**20
    stderr: int = 2**20


class Pipes(Protocol):
    """A started process. ``read`` and ``read_error`` return ``b""`` at the end; ``wait`` the
    exit status, -1 after a signal. ``kill`` may be called at any time, and again."""

    async def write(self, data: bytes) -> None: ...

    async def write_eof(self) -> None: ...

    async def read(self, size: int) -> bytes: ...

    async def read_error(self, size: int) -> bytes: ...

    async def wait(self) -> int: ...

    async def kill(self) -> None: ...


def shell_argv(script: bytes, *, sudo: bool) -> list[str]:
    """The command that will read ``script`` from its standard input."""
    shell = ["/bin/sh", "-c", _BOOTSTRAP, "sh", str(len(script))]
    return ["sudo", "-n", "--", *shell] if sudo else shell


class ShellTransport(ABC):
    """Implements :class:`suture.hosts.transport.Transport` over :class:`Pipes`.

    ``user`` is the one that scripts reach root from: another than root goes through sudo.
    """

    def __init__(self, name: str, *, user: str = "root", limits: Limits | None = None) -> None:
        self.name = name
        self._user = user
        self._limits = limits or Limits()

    @abstractmethod
    async def _start(self, argv: list[str]) -> Pipes:
        """Start a process; raises :class:`HostError`."""

    async def close(self) -> None:
        """Nothing to close, unless a way keeps something open."""
        return

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result:
        """Run ``script`` as root; see :class:`suture.hosts.transport.Transport`.

        After ``timeout_s`` the script is told to stop, which cannot be enforced across SSH.
        """
        try:
            async with asyncio.timeout(timeout_s), self._pipes(script) as pipes:
                stdout, stderr, _ = await _together(
                    self._read_all(pipes),
                    self._read_errors(pipes),
                    _feed(pipes, script.encode() + stdin),
                )
                status = await pipes.wait()
        except TimeoutError:
            raise self._timeout(timeout_s) from None
        if stdout is None:
            raise self._never_ran(status, stderr)
        return Result(exit=status, stdout=stdout, stderr=stderr)

    async def stream(
        self, script: str, *, accept: tuple[int, ...] = (0,), idle_s: float = 120.0
    ) -> AsyncGenerator[bytes, None]:
        """The standard output of ``script`` as it comes, no faster than it is consumed.

        Raises :class:`HostError` where nothing came for ``idle_s`` seconds, and at the end where
        the exit status is not one of ``accept`` (tar says 1 when a file changed under it).
        """
        async with self._pipes(script) as pipes:
            errors = asyncio.ensure_future(self._read_errors(pipes))
            feed = asyncio.ensure_future(_feed(pipes, script.encode()))
            try:
                async with asyncio.timeout(idle_s):
                    first = await _after_mark(pipes)
                if first:
                    yield first
                while first is not None:
                    async with asyncio.timeout(idle_s):
                        chunk = await pipes.read(_CHUNK)
                    if not chunk:
                        break
                    yield chunk
                async with asyncio.timeout(idle_s):
                    await feed
                    stderr = await errors
                    status = await pipes.wait()
            except TimeoutError:
                raise self._timeout(idle_s) from None
            finally:
                feed.cancel()
                errors.cancel()
        if first is None:
            raise self._never_ran(status, stderr)
        if status not in accept:
            raise self._failed(
                FailureKind.MALFORMED,
                f"the stream ended with status {status}: {clean(stderr) or 'no message'}",
                "Check free space and the file system on the host, then try again.",
            )

    async def put(self, data: bytes, path: str, *, mode: int = 0o600) -> None:
        """Write a whole file; ``OSError`` where the host cannot (no directory, disk full)."""
        script = (
            f"path={shlex.quote(path)}\n"
            'part=$(mktemp "$path.XXXXXX") || exit 1\n'
            "trap 'rm -f \"$part\"' EXIT\n"
            'cat >"$part" || exit 1\n'
            f'[ "$(wc -c <"$part")" -eq {len(data)} ] || {{ echo incomplete >&2; exit 1; }}\n'
            f'chmod {mode:o} "$part" && mv -f "$part" "$path"\n'
        )
        result = await self.run(script, stdin=data, timeout_s=600)
        if result.exit:
            raise OSError(f"{self.name}: cannot write {clean(path)}: {clean(result.stderr)}")

    async def get(self, path: str) -> bytes:
        """A whole file; ``FileNotFoundError`` where there is none, else ``OSError``."""
        quoted = shlex.quote(path)
        result = await self.run(
            f"[ -f {quoted} ] || exit {_NO_SUCH_FILE}\ncat <{quoted}\n", timeout_s=600
        )
        if result.exit == _NO_SUCH_FILE:
            raise FileNotFoundError(f"{self.name}: no file {clean(path)}")
        if result.exit:
            raise OSError(f"{self.name}: cannot read {clean(path)}: {clean(result.stderr)}")
        return result.stdout

    @asynccontextmanager
    async def _pipes(self, script: str) -> AsyncIterator[Pipes]:
        if "\0" in script:
            raise ValueError("a script cannot contain NUL")
        pipes = await self._start(shell_argv(script.encode(), sudo=self._user != "root"))
        try:
            yield pipes
        except BaseException:
            await pipes.kill()
            raise

    async def _read_all(self, pipes: Pipes) -> bytes | None:
        """Standard output after the mark; None where the mark never came."""
        first = await _after_mark(pipes)
        if first is None:
            return None
        kept = [first]
        size = len(first)
        while chunk := await pipes.read(_CHUNK):
            size += len(chunk)
            if size > self._limits.stdout:
                raise self._failed(
                    FailureKind.MALFORMED,
                    f"a script printed more than {self._limits.stdout} bytes",
                    "Look on the host for what floods its output; nothing of it was used.",
                )
            kept.append(chunk)
        return b"".join(kept)

    async def _read_errors(self, pipes: Pipes) -> bytes:
        kept = b""
        while chunk := await pipes.read_error(_CHUNK):
            kept += chunk[: self._limits.stderr - len(kept)]
        return kept

    def _failed(self, kind: FailureKind, message: str, remedy: str) -> HostError:
        return HostError(HostFailure(host=self.name, kind=kind, message=message, remedy=remedy))

    def _timeout(self, after_s: float) -> HostError:
        return self._failed(
            FailureKind.TIMEOUT,
            f"no answer within {after_s:g} s",
            "The host may be overloaded or hang on a dead disk; look at its load, then try again.",
        )

    def _lost(self, message: str) -> HostError:
        return self._failed(
            FailureKind.CONNECTION_LOST,
            f"the connection broke: {clean(message) or 'closed by the host'}",
            "Check the network and the host, then try again; what ran on the host goes on there.",
        )

    def _never_ran(self, status: int, stderr: bytes) -> HostError:
        if status == -1:
            return self._lost("the host ended the shell")
        said = clean(stderr) or "no message"
        if self._user == "root":
            return self._failed(
                FailureKind.UNSUPPORTED,
                f"no POSIX shell answered (status {status}): {said}",
                "Scripts need /bin/sh and head; give the account a normal login shell.",
            )
        return self._failed(
            FailureKind.PRIVILEGE,
            f"{self._user} cannot become root by sudo without a password: {said}",
            f"On the host, put this line into /etc/sudoers.d/suture (with visudo -f): "
            f"{self._user} ALL=(root) NOPASSWD: /bin/sh",
        )


async def _together(
    stdout: Awaitable[bytes | None], stderr: Awaitable[bytes], feed: Awaitable[None]
) -> tuple[bytes | None, bytes, None]:
    """All three to their end; the first failure cancels the others."""
    tasks = [asyncio.ensure_future(one) for one in (stdout, stderr, feed)]
    try:
        return tuple(await asyncio.gather(*tasks))  # type: ignore[return-value]
    finally:
        for task in tasks:
            task.cancel()


async def _feed(pipes: Pipes, data: bytes) -> None:
    """Write everything; a process that stops listening is judged by how it ends."""
    try:
        for start in range(0, len(data), _CHUNK):
            await pipes.write(data[start : start + _CHUNK])
        await pipes.write_eof()
    except (BrokenPipeError, ConnectionResetError):
        return


async def _after_mark(pipes: Pipes) -> bytes | None:
    """The first output after the mark; None where it does not come within the preamble."""
    seen = b""
    while _MARK not in seen:
        chunk = await pipes.read(_CHUNK) if len(seen) <= _PREAMBLE else b""
        if not chunk:
            return None
        seen += chunk
    return seen.partition(_MARK)[2]
