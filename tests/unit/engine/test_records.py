"""Ends of work are recorded once, for the attempt that they are of."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from suture.core.planning.plan import Plan
from suture.core.rollout import transitions
from suture.core.rollout.state import HostPhase
from suture.engine import records, ticks
from suture.engine.records import OvertakenError
from suture.engine.work import HostWork
from suture.store import rollouts, workers
from suture.store.database import Store
from suture.store.workers import Worker

NOW = datetime(2026, 11, 23, tzinfo=UTC)
WORK = HostWork(rollout="r1", host="web1", attempt=0, way_back=False)


@pytest.fixture
def at_work(store: Store, plan: Plan) -> Store:
    """web1 is being patched, by a worker that is listed."""
    ticks.tick(store, plan, "r1", NOW)
    with store.begin() as connection:
        workers.enlist(connection, Worker(id="w1", machine="m", pid=1))
    return store


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
