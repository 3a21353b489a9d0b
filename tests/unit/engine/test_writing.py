"""What waits is written together, and one that is refused takes nothing from the others."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from suture.core.evidence import Step, StepReport, Verdict
from suture.engine.records import GivenUpError, OvertakenError
from suture.engine.stepping import StepChange, SupersededError
from suture.engine.work import HostWork
from suture.engine.writing import Writer
from suture.store import rollouts, workers
from suture.store.database import Store
from suture.store.workers import Worker

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def writer(store: Store) -> Iterator[Writer]:
    with store.begin() as connection:
        workers.enlist(connection, Worker(id="w1", machine="m", pid=1))
    made = Writer(store, "w1")
    yield made
    made.close()


def _fence(connection: sa.Connection) -> int:
    return workers.next_fence(connection, "web1", "w1")


def _refused(connection: sa.Connection) -> None:
    _fence(connection)
    raise ValueError("no")


async def test_each_gets_its_own_answer(store: Store, writer: Writer) -> None:
    answers = await asyncio.gather(
        *(writer.transact(_fence) for _ in range(20)),
        writer.transact(_refused),
        *(writer.transact(_fence) for _ in range(20)),
        return_exceptions=True,
    )
    refused = [one for one in answers if isinstance(one, ValueError)]
    assert len(refused) == 1
    assert sorted(one for one in answers if isinstance(one, int)) == list(range(1, 41))
    with store.begin() as connection:
        assert workers.current_fence(connection, "web1") == 40


async def test_who_was_overtaken_is_asked_again(writer: Writer) -> None:
    tries = []

    def act(connection: sa.Connection) -> int:
        tries.append(_fence(connection))
        if len(tries) < 3:
            raise OvertakenError
        return len(tries)

    assert await writer.transact(act) == 3
    assert tries == [1, 1, 1]


async def test_what_follows_a_change_is_written_with_it_or_not_at_all(
    store: Store, writer: Writer
) -> None:
    work = HostWork(rollout="r1", host="web1", attempt=0, way_back=False)
    report = StepReport(
        host="web1", step=Step.APPLY, verdict=Verdict.PASS, started_at=NOW, seconds=1.0
    )
    followed: list[str] = []
    assert await writer.change(StepChange(work, Step.APPLY)) == 1
    assert await writer.change(StepChange(work, Step.APPLY)) == 2
    changes = [
        writer.change(StepChange(work, None, report, 1), lambda _: followed.append("refused")),
        writer.change(StepChange(work, None, report, 2), lambda _: followed.append("written")),
    ]
    refused, written = await asyncio.gather(*changes, return_exceptions=True)
    assert isinstance(refused, SupersededError)
    assert written == 0
    assert followed == ["written"]
    with store.read() as connection:
        assert rollouts.step_reports(connection, "r1") == (report,)


async def test_a_worker_that_counts_as_dead_writes_nothing(store: Store, writer: Writer) -> None:
    with store.begin() as connection:
        workers.dismiss(connection, "w1")
    with pytest.raises(GivenUpError):
        await writer.transact(_fence)
    with store.begin() as connection:
        assert workers.current_fence(connection, "web1") == 0


async def test_a_database_that_is_away_is_waited_for(
    store: Store, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suture.engine.writing.AGAIN_S", 0.01)
    tries = []

    def act(connection: sa.Connection) -> int:
        tries.append(1)
        if len(tries) < 4:
            raise sa.exc.OperationalError("UPDATE", {}, Exception("disk I/O error"))
        return _fence(connection)

    assert await writer.transact(act) == 1
