"""A worker writes only what it found out while the host was its own."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from suture.core.documents import decode, digest
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.planning.plan import Plan
from suture.core.rollout import transitions
from suture.core.rollout.state import HostPhase
from suture.engine import records, ticks
from suture.engine.records import OvertakenError, StepFinished, SupersededError
from suture.engine.work import HostWork
from suture.store import events, rollouts, workers
from suture.store.database import Store
from suture.store.workers import Worker

NOW = datetime(2026, 11, 23, tzinfo=UTC)
WORK = HostWork(rollout="r1", host="web1", attempt=0, way_back=False)
REPORT = StepReport(
    host="web1", step=Step.APPLY, verdict=Verdict.PASS, started_at=NOW, seconds=2.0, log="done"
)


@pytest.fixture
def at_work(store: Store, plan: Plan) -> Store:
    """web1 is being patched, by a worker that is listed."""
    ticks.tick(store, plan, "r1", NOW)
    with store.begin() as connection:
        workers.enlist(connection, Worker(id="w1", machine="m", pid=1))
    return store


def _kinds(connection: sa.Connection) -> list[str]:
    return [event.kind for event in events.stream(connection, subject="r1")]


def test_a_report_under_an_older_fence_is_refused(at_work: Store) -> None:
    with at_work.begin() as connection:
        old = records.begin_step(connection, "w1", WORK, Step.APPLY, NOW)
        new = records.begin_step(connection, "w1", WORK, Step.APPLY, NOW)
        assert new > old
        with pytest.raises(SupersededError):
            records.finish_step(connection, WORK, old, REPORT, NOW)
        assert rollouts.step_reports(connection, "r1") == ()
        records.finish_step(connection, WORK, new, REPORT, NOW)
        assert rollouts.step_reports(connection, "r1") == (REPORT,)
    with at_work.read() as connection:
        assert _kinds(connection).count("step.finished") == 1


def test_a_step_that_was_reported_is_known(at_work: Store) -> None:
    with at_work.begin() as connection:
        assert records.known_reports(connection, WORK) == {}
        fence = records.begin_step(connection, "w1", WORK, Step.APPLY, NOW)
        records.finish_step(connection, WORK, fence, REPORT, NOW)
        assert records.known_reports(connection, WORK) == {Step.APPLY: REPORT}
        again = HostWork(rollout="r1", host="web1", attempt=1, way_back=False)
        assert records.known_reports(connection, again) == {}


def test_the_event_vouches_for_the_whole_report(at_work: Store) -> None:
    with at_work.begin() as connection:
        fence = records.begin_step(connection, "w1", WORK, Step.APPLY, NOW)
        records.finish_step(connection, WORK, fence, REPORT, NOW)
    with at_work.read() as connection:
        *_, event = events.stream(connection, subject="r1")
    told = decode(event.data, StepFinished)
    assert (told.report_sha256, told.fence, told.log) == (digest(REPORT), fence, "")
    assert decode(event.data, StepReport).verdict is Verdict.PASS


def test_an_end_is_recorded_once_and_never_for_another_attempt(at_work: Store) -> None:
    later: dict[str, Any] = {"phase": HostPhase.FAILED, "reason": "verify: no answer", "now": NOW}
    other = HostWork(rollout="r1", host="web1", attempt=1, way_back=False)
    with at_work.begin() as connection:
        assert not records.finish_host(connection, other, **later)
        assert records.finish_host(connection, WORK, **later)
        assert not records.finish_host(connection, WORK, HostPhase.DONE, "", NOW)
        state = rollouts.get_host(connection, "r1", "web1")
        assert state is not None
        assert state.phase is HostPhase.FAILED


def test_whoever_was_overtaken_loads_again(store: Store) -> None:
    tries = []

    def act(connection: sa.Connection) -> int:
        tries.append(workers.next_fence(connection, "web1", "w1"))
        if len(tries) < 3:
            raise OvertakenError
        return tries[-1]

    assert records.transact(store, act) == 1
    assert tries == [1, 1, 1]


def test_a_stale_state_is_not_saved(store: Store, plan: Plan) -> None:
    with store.read() as connection:
        stale = records.get(connection, "r1")
    ticks.tick(store, plan, "r1", NOW)
    paused = transitions.pause(stale.state, "late")
    with pytest.raises(OvertakenError), store.begin() as connection:
        records.advance(connection, stale, paused)
