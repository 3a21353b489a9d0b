"""All pretend hosts behind one socket, and the network before it, which cuts, delays and repeats.

They live on a thread of the test's process, so no controller's death touches them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from suture.core.documents import Document
from suture.hosts.transport import Result
from tests.faults.host import DownError, Flaws, PretendHost
from tests.faults.records import Record

_MOST_BYTES = 2**22


class Question(Document, frozen=True):
    host: str
    script: str
    stdin: bytes
    controller: int


class NetworkFault(Document, frozen=True):
    """What happens to the ``nth`` question that the network carries.

    ``kind``: ``cut`` before the host hears it, ``deaf`` (the host acts, its answer is lost),
    ``late`` (the sender is cut off, and the host hears it ``seconds`` later), ``slow``, ``twice``,
    ``away`` (that host hears nothing for ``seconds``), ``reboot`` (the host does, as it acts).
    """

    kind: str
    nth: int
    seconds: float = 0.0


class PretendFleet:
    def __init__(self, flaws: Mapping[str, Flaws], faults: tuple[NetworkFault, ...]) -> None:
        self.record = Record()
        self.hosts: dict[str, PretendHost] = {}
        self._flaws = flaws
        self._faults = {fault.nth: fault for fault in faults}
        self._away: dict[str, float] = {}
        self._carried = 0
        self._late: set[asyncio.Task[None]] = set()

    async def serve(self, socket: Path, until: asyncio.Event, ready: threading.Event) -> None:
        self.hosts = {
            name: PretendHost(name, self.record, flaws) for name, flaws in self._flaws.items()
        }
        server = await asyncio.start_unix_server(self._take, str(socket), limit=_MOST_BYTES)
        ready.set()
        await until.wait()
        server.close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if line:
                result = await self._carry(msgspec.json.decode(line, type=Question))
                writer.write(msgspec.json.encode(result))
                await writer.drain()
        except (DownError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _carry(self, question: Question) -> Result:
        self._carried += 1
        fault = self._faults.get(self._carried)
        now = asyncio.get_running_loop().time()
        if self._away.get(question.host, 0.0) > now:
            raise DownError(question.host)
        match fault and fault.kind:
            case "cut":
                raise DownError(question.host)
            case "away":
                assert fault
                self._away[question.host] = now + fault.seconds
                raise DownError(question.host)
            case "late":
                assert fault
                task = asyncio.ensure_future(self._hear_late(question, fault.seconds))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
                raise DownError(question.host)
            case "deaf":
                await self._ask(question)
                raise DownError(question.host)
            case "slow":
                assert fault
                await asyncio.sleep(fault.seconds)
            case "twice":
                await self._ask(question)
            case "reboot":
                host = self.hosts[question.host]
                asked = asyncio.ensure_future(self._ask(question))
                await asyncio.sleep(host.flaws.pace_s * 1.5)
                await host.reboot()
                return await asked
        return await self._ask(question)

    async def _hear_late(self, question: Question, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            await self._ask(question)
        except DownError:
            return

    async def _ask(self, question: Question) -> Result:
        host = self.hosts[question.host]
        return await host.answer(question.script, question.stdin, question.controller)


@contextmanager
def running(
    socket: Path, flaws: Mapping[str, Flaws], faults: tuple[NetworkFault, ...] = ()
) -> Iterator[PretendFleet]:
    """The fleet on a thread of its own, for as long as the context lasts."""
    fleet = PretendFleet(flaws, faults)
    loop, until, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    def serve() -> None:
        loop.run_until_complete(fleet.serve(socket, until, ready))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=serve, name="pretend fleet", daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield fleet
    finally:
        loop.call_soon_threadsafe(until.set)
        thread.join(30)
