import asyncio

from bench.relay import ADDRESS, counting_relay


async def test_a_relay_counts_what_goes_both_ways() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(2 * await reader.readexactly(5))
        writer.close()

    server = await asyncio.start_server(answer, ADDRESS, 0)
    async with server, counting_relay(*server.sockets[0].getsockname()[:2]) as relay:
        reader, writer = await asyncio.open_connection(ADDRESS, relay.port)
        writer.write(b"hello")
        assert await reader.read() == b"hellohello"
        writer.close()
        assert relay.count == 15
