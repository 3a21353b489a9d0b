"""A controller's way to the pretend fleet: the transport's four verbs over a socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from suture.core.inventory import Host
from suture.hosts.transport import FailureKind, HostError, HostFailure, Result, Transport
from tests.faults.fleet import Question


class PretendTransport:
    """Each question is a connection of its own; one that ends without an answer was lost."""

    def __init__(self, name: str, socket: str, boundary: Callable[[str], None]) -> None:
        self.name = name
        self._socket = socket
        self._boundary = boundary

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result:
        question = Question(self.name, script, stdin, os.getpid())
        self._boundary("act-before")
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._ask(msgspec.json.encode(question) + b"\n")
        except TimeoutError:
            raise self._failed(FailureKind.TIMEOUT, "no answer") from None
        except OSError as error:
            raise self._failed(FailureKind.UNREACHABLE, str(error)) from None
        if not answer:
            raise self._failed(FailureKind.CONNECTION_LOST, "the connection was lost")
        self._boundary("act-after")
        return msgspec.json.decode(answer, type=Result)

    async def _ask(self, question: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        try:
            writer.write(question)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()

    async def put(self, data: bytes, path: str, *, mode: int = 0o600) -> None:
        raise NotImplementedError

    async def get(self, path: str) -> bytes:
        raise NotImplementedError

    async def close(self) -> None:
        return

    def _failed(self, kind: FailureKind, message: str) -> HostError:
        return HostError(HostFailure(self.name, kind, message, "Try again."))


class PretendWays:
    """Stands for :class:`suture.hosts.transport.connector.Connector`."""

    def __init__(self, socket: str, boundary: Callable[[str], None]) -> None:
        self._socket = socket
        self._boundary = boundary

    @asynccontextmanager
    async def connect(self, host: Host) -> AsyncIterator[Transport]:
        yield PretendTransport(host.name, self._socket, self._boundary)
