"""What is fetched ahead of time, and the real step that comes after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from suture.core.evidence import Step, Verdict
from suture.hosts.acquire import acquire, fetch
from suture.hosts.session import PatchSession
from suture.hosts.transaction import transaction_id
from suture.hosts.transport import Result, Transport
from tests.unit.core import builders

_HEAD = (
    "suture-receipt 1\nid %s\nstate %s\nfence 1\nexit %s\nstarted 1795422000\n"
    "ended \nboot_then aaaa\nboot_now aaaa\nresult 0\nlog 0\n\n"
)
FETCH = transaction_id("r1", "web1", Step.FETCH, 0)
ACQUIRE = transaction_id("r1", "web1", Step.ACQUIRE, 0)


class FakeTransport:
    """The transaction that was fetched ahead is ``running`` for so many looks; where another is
    begun meanwhile, the host is busy."""

    name = "web1"

    def __init__(self, running: int = 0) -> None:
        self.running = running
        self.asked: list[tuple[str, bool]] = []
        self.scripts: list[str] = []

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result:
        id_ = FETCH if FETCH in script else ACQUIRE
        self.asked.append((id_, bool(stdin)))
        self.scripts.append(stdin.decode())
        state, exit_status = "done", "0"
        if self.running and id_ == FETCH and not stdin:
            self.running -= 1
            state, exit_status = "running", ""
        elif self.running:
            exit_status = "75"
        return Result(0, (_HEAD % (id_, state, exit_status)).encode(), b"")

    async def put(self, data: bytes, path: str, *, mode: int = 0o600) -> None:
        raise AssertionError(path)

    async def get(self, path: str) -> bytes:
        raise AssertionError(path)

    async def close(self) -> None:
        pass


def _session(way: FakeTransport, *, ahead: bool) -> PatchSession:
    @asynccontextmanager
    async def connect() -> AsyncIterator[Transport]:
        yield way

    return PatchSession(
        plan=builders.host_plan("web1"),
        plan_id="r1",
        connect=connect,
        now=lambda: datetime(2026, 11, 24, tzinfo=UTC),
        fetches_ahead=ahead,
    )


async def test_a_fetch_is_a_transaction_of_its_own_with_a_time_limit() -> None:
    way = FakeTransport()
    report = await fetch(_session(way, ahead=True))
    assert (report.step, report.verdict, report.changed_host) == (Step.FETCH, Verdict.PASS, False)
    assert way.asked == [(FETCH, True)]
    assert "LONGEST_S=1800" in way.scripts[0].replace("'", "")


async def test_the_step_waits_for_the_end_of_a_fetch_that_nobody_follows_any_more() -> None:
    way = FakeTransport(running=2)
    report = await acquire(_session(way, ahead=True))
    assert report.verdict is Verdict.PASS
    assert way.asked == [(FETCH, False)] * 3 + [(ACQUIRE, True)]
    assert "LONGEST_S=0" in way.scripts[-1].replace("'", "")


async def test_without_it_the_step_asks_for_itself_alone() -> None:
    way = FakeTransport()
    await acquire(_session(way, ahead=False))
    assert way.asked == [(ACQUIRE, True)]
