"""Counts what a connection costs on the wire, the same way for every client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass

ADDRESS = "127.0.0.1"


@dataclass
class Relay:
    """``count`` is the bytes of TCP payload that went both ways since it was last set to 0."""

    port: int
    count: int = 0


@asynccontextmanager
async def counting_relay(address: str, port: int) -> AsyncIterator[Relay]:
    """Listens on this machine and passes every connection on to ``address``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(address, port)
        with closing(writer), closing(far_writer):
            there, back = _pass_on(relay, reader, far_writer), _pass_on(relay, far_reader, writer)
            await asyncio.gather(there, back)

    server = await asyncio.start_server(serve, ADDRESS, 0)
    relay = Relay(server.sockets[0].getsockname()[1])
    async with server:
        yield relay


async def _pass_on(
    relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            relay.count += len(data)
            writer.write(data)
            await writer.drain()
        writer.write_eof()
