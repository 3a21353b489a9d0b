"""A rollout's state is advanced by whoever is first; reports are kept once."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from suture.core.evidence import Step, StepReport, Verdict
from suture.core.rollout.state import HostPhase, HostState, RolloutState, RolloutStatus, Signal
from suture.store import rollouts, signals
from suture.store.database import Store
from suture.store.tables import plans

NOW = datetime(2026, 11, 23, tzinfo=UTC)
STATE = RolloutState(
    rollout="r1", plan="p1", status=RolloutStatus.RUNNING, hosts=(HostState(host="web1"),)
)


@pytest.fixture
def rollout(store: Store) -> rollouts.StoredRollout:
    with store.begin() as connection:
        connection.execute(sa.insert(plans).values(id="p1", created_at=NOW, document=b""))
        rollouts.create(connection, STATE, actor="root", without_rehearsal=False, now=NOW)
        stored = rollouts.get(connection, "r1")
    assert stored is not None
    return stored


def test_only_the_first_of_two_ticks_advances(
    store: Store, rollout: rollouts.StoredRollout
) -> None:
    paused = RolloutState(
        rollout="r1",
        plan="p1",
        status=RolloutStatus.PAUSED,
        hosts=(HostState(host="web1", phase=HostPhase.FAILED),),
        reason="web1 failed",
    )
    with store.begin() as connection:
        assert rollouts.advance(connection, rollout, paused)
        assert not rollouts.advance(connection, rollout, STATE)
        now = rollouts.get(connection, "r1")
    assert now is not None
    assert (now.state, now.revision, now.is_over) == (paused, 1, False)


def test_a_step_is_reported_once_an_attempt(store: Store, rollout: rollouts.StoredRollout) -> None:
    report = StepReport(
        host="web1", step=Step.APPLY, verdict=Verdict.PASS, started_at=NOW, seconds=1.5
    )
    with store.begin() as connection:
        assert rollouts.save_reports(connection, [("r1", 0, report)])
        assert not rollouts.save_reports(connection, [("r1", 0, report)])
        assert rollouts.save_reports(connection, [("r1", 1, report)])
        assert rollouts.step_reports(connection, "r1", host="web1") == (report, report)


def test_a_signal_is_answered_once(store: Store, rollout: rollouts.StoredRollout) -> None:
    with store.begin() as connection:
        number = signals.give(
            connection, "r1", Signal.ABORT, actor="kim", reason="disk alarm", now=NOW
        )
        (waiting,) = signals.waiting(connection, "r1")
        assert (waiting.id, waiting.signal, waiting.answer) == (number, Signal.ABORT, None)
        assert signals.answer(connection, number, "", NOW)
        assert not signals.answer(connection, number, "too late", NOW)
        assert signals.waiting(connection, "r1") == ()
