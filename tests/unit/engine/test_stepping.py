"""A worker writes only what it found out while the host was its own, however many at once."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.documents import decode, digest
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.planning.plan import Plan
from suture.engine import records, stepping, ticks
from suture.engine.stepping import StepChange, StepFinished, SupersededError
from suture.engine.work import HostWork
from suture.store import events, rollouts
from suture.store.database import Store

NOW = datetime(2026, 11, 23, tzinfo=UTC)
WORK = HostWork(rollout="r1", host="web1", attempt=0, way_back=False)
OTHER = replace(WORK, host="web2")
REPORT = StepReport(
    host="web1", step=Step.APPLY, verdict=Verdict.PASS, started_at=NOW, seconds=2.0, log="done"
)
OTHER_REPORT = replace(REPORT, host="web2")


@pytest.fixture
def at_work(store: Store, plan: Plan) -> Store:
    ticks.tick(store, plan, "r1", NOW)
    return store


def _write(store: Store, *changes: StepChange) -> list[int | SupersededError]:
    with store.begin() as connection:
        return stepping.write(connection, "w1", changes, NOW)


def _kinds(store: Store, host: str = "web1") -> list[str]:
    with store.read() as connection:
        found = [one.kind for one in events.stream(connection, subject="r1") if one.host == host]
    return [kind for kind in found if kind.startswith("step.")]


def _reports(connection: sa.Connection) -> dict[str, StepReport]:
    return {one.host: one for one in rollouts.step_reports(connection, "r1")}


def test_hosts_go_on_together(at_work: Store) -> None:
    first = _write(at_work, StepChange(WORK, Step.APPLY), StepChange(OTHER, Step.APPLY))
    assert first == [1, 1]
    next_ = _write(
        at_work,
        StepChange(WORK, Step.VERIFY, REPORT, 1),
        StepChange(OTHER, None, OTHER_REPORT, 1),
    )
    assert next_ == [2, 0]
    with at_work.read() as connection:
        assert _reports(connection) == {"web1": REPORT, "web2": OTHER_REPORT}
    assert _kinds(at_work) == ["step.started", "step.finished", "step.started"]
    assert _kinds(at_work, "web2") == ["step.started", "step.finished"]


def test_a_report_under_an_older_fence_is_refused_and_no_other_is(at_work: Store) -> None:
    _write(at_work, StepChange(WORK, Step.APPLY), StepChange(OTHER, Step.APPLY))
    (new,) = _write(at_work, StepChange(WORK, Step.APPLY))
    assert new == 2
    refused, accepted = _write(
        at_work,
        StepChange(WORK, Step.VERIFY, REPORT, 1),
        StepChange(OTHER, Step.VERIFY, OTHER_REPORT, 1),
    )
    assert isinstance(refused, SupersededError)
    assert accepted == 2
    with at_work.read() as connection:
        assert _reports(connection) == {"web2": OTHER_REPORT}
    assert _kinds(at_work).count("step.finished") == 0
    assert _write(at_work, StepChange(WORK, None, REPORT, 2)) == [0]
    assert _kinds(at_work).count("step.finished") == 1


def test_changes_of_one_host_follow_one_another(at_work: Store) -> None:
    again = StepChange(WORK, Step.APPLY)
    assert _write(at_work, again, StepChange(OTHER, Step.APPLY), again) == [1, 1, 2]
    refused, accepted = _write(
        at_work, StepChange(WORK, None, REPORT, 1), StepChange(WORK, None, REPORT, 2)
    )
    assert isinstance(refused, SupersededError)
    assert accepted == 0


def test_the_first_report_of_a_step_stays(at_work: Store) -> None:
    _write(at_work, StepChange(WORK, Step.APPLY))
    _write(at_work, StepChange(WORK, None, REPORT, 1))
    _write(at_work, StepChange(WORK, None, replace(REPORT, seconds=9.0), 1))
    with at_work.read() as connection:
        assert _reports(connection) == {"web1": REPORT}
    assert _kinds(at_work).count("step.finished") == 1


def test_a_step_that_was_reported_is_known(at_work: Store) -> None:
    with at_work.read() as connection:
        assert records.known_reports(connection, WORK) == {}
    _write(at_work, StepChange(WORK, Step.APPLY))
    _write(at_work, StepChange(WORK, None, REPORT, 1))
    with at_work.read() as connection:
        assert records.known_reports(connection, WORK) == {Step.APPLY: REPORT}
        assert records.known_reports(connection, replace(WORK, attempt=1)) == {}


def test_the_event_vouches_for_the_whole_report(at_work: Store) -> None:
    _write(at_work, StepChange(WORK, Step.APPLY))
    _write(at_work, StepChange(WORK, None, REPORT, 1))
    with at_work.read() as connection:
        *_, event = events.stream(connection, subject="r1")
    told = decode(event.data, StepFinished)
    assert (told.report_sha256, told.fence, told.log) == (digest(REPORT), 1, "")
    assert decode(event.data, StepReport).verdict is Verdict.PASS
