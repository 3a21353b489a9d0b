"""The record proves itself: whole as it was written, and named where somebody changed it."""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from suture.core.documents import digest, encode
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.performance import Distribution, Performance
from suture.engine import stepping, ticks
from suture.engine.stepping import StepChange
from suture.engine.work import HostWork
from suture.services import evidence, fleet, plans
from suture.services.workspace import Workspace
from suture.store import events, workers
from suture.store import plans as stored_plans
from suture.store.workers import Worker
from tests.unit.core import builders

NOW = datetime(2026, 11, 23, tzinfo=UTC)
WORK = HostWork(rollout="r1", host="web1", attempt=0, way_back=False)
REPORT = StepReport("web1", Step.APPLY, Verdict.PASS, NOW, 2.0, log="done")
LATENCIES = Distribution(4, 0, 0.001, 0.001, 0.001, (4,))
LOADED = Performance("checks", Verdict.PASS, "", 1, before=LATENCIES, after=LATENCIES)
REHEARSAL = {"plan": "of another", "verdict": "pass", "performance": LOADED}


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """A rollout with one report, of a plan that passed its rehearsal as another plan's class."""
    place = Workspace(tmp_path, f"sqlite:///{tmp_path}/store.sqlite")
    plan = builders.plan([builders.wave(0, ["web1"])])
    other = builders.plan([builders.wave(0, ["web1", "web2"])])
    with fleet.opened(place) as store:
        for one in (other, plan):
            plans.save(store, one, "kim")
        ticks.start_rollout(store, plan, "r1", actor="kim", without_rehearsal=False, now=NOW)
        ticks.tick(store, plan, "r1", NOW)
        with store.begin() as connection:
            stored_plans.save_rehearsal(
                connection,
                plan=other.id,
                class_id=plan.hosts[0].class_id,
                verdict=Verdict.PASS,
                ended_at=NOW,
                document=encode(REHEARSAL),
            )
            events.append(
                connection,
                at=NOW,
                kind="rehearsal.finished",
                subject=other.id,
                data={"sha256": digest(REHEARSAL)},
            )
            workers.enlist(connection, Worker(id="w1", machine="m", pid=1, heartbeat=0.0))
            stepping.write(connection, "w1", [StepChange(WORK, Step.APPLY)], NOW)
            stepping.write(connection, "w1", [StepChange(WORK, None, REPORT, 1)], NOW)
    return place


def _tamper(place: Workspace, statement: str) -> None:
    with fleet.opened(place) as store, store.begin() as connection:
        for trigger in ("events_no_update", "events_no_delete"):
            connection.execute(sa.text(f"DROP TRIGGER {trigger}"))
        connection.execute(sa.text(statement))


def test_what_nobody_touched_is_whole(place: Workspace) -> None:
    found = evidence.verify(place)
    assert found.is_whole
    assert found.events > 5


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE reports SET document = replace(document, 'done', 'gone')", "report of apply"),
        ("UPDATE reports SET document = 'no JSON'", "report of apply on web1"),
        ("DELETE FROM reports", "report of apply on web1 in rollout r1"),
        ("UPDATE plans SET document = replace(document, 'web1', 'web9')", "plan "),
        ("UPDATE rehearsals SET document = replace(document, 'pass', 'fail')", "rehearsal "),
    ],
)
def test_a_changed_record_is_named(place: Workspace, statement: str, named: str) -> None:
    _tamper(place, statement)
    found = evidence.verify(place)
    assert found.broken_at is None
    assert found.altered[0].startswith(named)
    assert not found.is_whole


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = 'no JSON' WHERE kind = 'step.finished'",
        "UPDATE events SET actor = 'eve' WHERE seq = 1",
        "DELETE FROM events WHERE seq = 2",
    ],
)
def test_a_changed_log_is_broken(place: Workspace, statement: str) -> None:
    _tamper(place, statement)
    assert evidence.verify(place).broken_at is not None


def test_an_export_has_the_rehearsals_that_counted(place: Workspace, tmp_path: Path) -> None:
    path, verdict = evidence.export(place, "r1", tmp_path / "evidence.tar.gz")
    assert verdict.is_whole
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert {"rehearsals/001.json", "rehearsals/001-latency.svg"} <= set(names)
    assert "reports/web1/0001-apply.json" in names
