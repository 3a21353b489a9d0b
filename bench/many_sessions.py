"""What a process of its own does for `sessions`: open many at once, or follow as many transactions.

Apart from the benchmark, whose memory is none of the product's.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
import uuid
from contextlib import AsyncExitStack
from pathlib import Path

import suture.hosts.transport.ssh  # noqa: F401 (loaded before memory is weighed)
from suture.core.inventory import Host
from suture.core.policy import Concurrency
from suture.hosts.transaction import Receipt, Transaction, follow, start
from suture.hosts.transport.connector import Connector
from suture.hosts.transport.known_hosts import FirstUse, KnownHosts
from suture.hosts.transport.settings import SshSettings
from suture.hosts.transport.shell import ShellTransport

FOLLOW_S = 60
_AT_ONCE = 50
_SCRIPT = """
for line in $(seq 60); do echo "line $line"; sleep 30; [ ! -e {stop} ] || exit 0; done
"""


async def opened(hosts: list[Host], scratch: Path) -> dict[str, float]:
    """A session in each connection, running a script, and all of them at once."""
    before, began, cpu = resident_mb(), time.perf_counter(), time.process_time()
    async with AsyncExitStack() as stack:
        ways = await _connect(stack, hosts, scratch)
        sessions = [way.stream("echo; exec sleep 600") for way in ways]
        for session in sessions:
            await anext(session)
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        rss = resident_mb()
        for session in sessions:
            await session.aclose()
    count = len(hosts)
    return {
        "rss_mb": rss,
        "start_rss_mb": before,
        "each_kb": 1000 * (rss - before) / count,
        "per_s": count / seconds,
        "cpu_ms": 1000 * cpu_s / count,
    }


async def followed(hosts: list[Host], scratch: Path) -> dict[str, float]:
    """A running transaction in each connection, every one looked at for ``FOLLOW_S`` seconds."""
    stop = f"/srv/hosts/{uuid.uuid4().hex}"
    script = _SCRIPT.format(stop=stop)
    run = uuid.uuid4().hex[:12]
    async with AsyncExitStack() as stack:
        ways = await _connect(stack, hosts, scratch)
        turn = asyncio.Semaphore(_AT_ONCE)
        started = await asyncio.gather(
            *(
                _start(way, Transaction(id=f"{run}{number:08x}", fence=1, script=script), turn)
                for number, way in enumerate(ways)
            )
        )
        cpu, began = time.process_time(), time.monotonic()
        until = began + FOLLOW_S
        seen = await asyncio.gather(
            *(_follow(way, one, until) for way, one in zip(ways, started, strict=True))
        )
        cpu_s, minutes = time.process_time() - cpu, (time.monotonic() - began) / 60
        await ways[0].run(f"touch {stop}")
    looks = sum(looks for looks, _ in seen)
    return {
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        "cpu_ms": 1000 * cpu_s / len(hosts) / minutes,
        "look_cpu_ms": 1000 * cpu_s / looks,
        "looks": looks,
        "lines": sum(lines for _, lines in seen),
    }


async def _connect(stack: AsyncExitStack, hosts: list[Host], scratch: Path) -> list[ShellTransport]:
    """All of ``hosts``, at most ``_AT_ONCE`` in the making at once, open until the stack closes."""
    settings = SshSettings(first_use=FirstUse.ACCEPT_NEW, connect_timeout_s=120)
    count = len(hosts)
    limits = Concurrency(total=count, per_jump=count)
    connector = Connector(KnownHosts(scratch / "known_hosts"), settings=settings, limits=limits)
    await stack.enter_async_context(connector)
    async with connector.connect(hosts[0]):
        pass
    turn = asyncio.Semaphore(_AT_ONCE)

    async def connect(host: Host) -> ShellTransport:
        async with turn:
            return await stack.enter_async_context(connector.connect(host))

    return list(await asyncio.gather(*(connect(host) for host in hosts)))


async def _start(way: ShellTransport, transaction: Transaction, turn: asyncio.Semaphore) -> Receipt:
    async with turn:
        receipt = await start(way, transaction)
    if receipt.state.is_final:
        raise RuntimeError(f"{way.name}: the transaction is {receipt.state}: {receipt.log}")
    return receipt


async def _follow(way: ShellTransport, receipt: Receipt, until: float) -> tuple[int, int]:
    """How many looks until then, and how many lines came."""
    looks = lines = 0
    while time.monotonic() < until:
        receipt = await follow(way, receipt.id, offset=receipt.offset)
        if receipt.state.is_final:
            raise RuntimeError(f"{way.name}: the transaction is {receipt.state}: {receipt.log}")
        looks, lines = looks + 1, lines + receipt.log.count("\n")
    return looks, lines


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main(what: str, where: str, scratch: str, count: str) -> None:
    address, _, port = where.rpartition(":")
    hosts = [
        Host(name=f"host-{number}", address=address, port=int(port), key=f"{scratch}/{number}")
        for number in range(int(count))
    ]
    work = {"open": opened, "follow": followed}[what]
    print(json.dumps(asyncio.run(work(hosts, Path(scratch)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
