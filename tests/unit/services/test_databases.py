"""An installation moves to another database, and what was unfinished goes on there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.rollout.state import RolloutStatus
from suture.engine import membership, ticks
from suture.engine.driver import driving
from suture.services import databases
from suture.services.errors import RefusedError
from suture.services.workspace import Workspace
from suture.store import events, plans, rollouts, workers
from suture.store.database import open_store
from tests.unit.core import builders
from tests.unit.engine.pretend import PretendRunner
from tests.unit.store.conftest import new_database, server

__all__ = ["new_database", "server"]

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[str]:
    """A rollout of three hosts of which the first is at work."""
    url = f"sqlite:///{tmp_path}/source.sqlite"
    store = open_store(url)
    plan = builders.plan([builders.wave(0, ["web1", "web2", "web3"], parallel=1, soak_s=0.0)])
    with store.begin() as connection:
        plans.save(connection, plan)
        events.append(connection, at=NOW, kind="plan.created", subject=plan.id)
    ticks.start_rollout(store, plan, "r1", actor="kim", without_rehearsal=True, now=NOW)
    ticks.tick(store, plan, "r1", NOW)
    with store.begin() as connection:
        workers.next_fence(connection, "web1", "gone")
    yield url
    store.close()


def test_an_unfinished_rollout_goes_on_in_the_target(
    source: str, new_database: str, tmp_path: Path
) -> None:
    moved = databases.migrate(source, new_database)
    assert moved.unfinished == ("r1",)
    assert (moved.rows["rollout_hosts"], moved.rows["plans"]) == (3, 1)
    assert moved.events == 3
    store = open_store(new_database)
    runner = PretendRunner(tmp_path)
    with driving(store, runner, at_once=8) as driver:
        driver.serve(on_settled=lambda tick: driver.stop())
    with store.read() as connection:
        stored = rollouts.get(connection, "r1")
    store.close()
    assert stored is not None
    assert stored.state.status is RolloutStatus.DONE
    assert runner.record("web1")["fence"] > 1


def test_a_target_that_holds_anything_is_refused(source: str, new_database: str) -> None:
    databases.migrate(source, new_database)
    with pytest.raises(RefusedError, match="the target is not empty") as refused:
        databases.migrate(source, new_database)
    assert "new, empty database" in refused.value.remedy


def test_a_living_worker_is_a_reason_not_to(source: str, tmp_path: Path) -> None:
    store = open_store(source)
    with store.begin() as connection:
        workers.enlist(connection, membership.this_process())
    with pytest.raises(RefusedError, match="is at work on the source") as refused:
        databases.migrate(source, f"sqlite:///{tmp_path}/target.sqlite")
    store.close()
    assert "suture worker list" in refused.value.remedy


def test_a_worker_that_is_gone_is_none(source: str, tmp_path: Path) -> None:
    store = open_store(source)
    with store.begin() as connection:
        workers.enlist(connection, replace(membership.this_process(), id="x-1-0"))
    assert databases.migrate(source, f"sqlite:///{tmp_path}/target.sqlite").events == 3
    store.close()


def test_a_broken_event_log_is_not_carried_over(source: str, tmp_path: Path) -> None:
    store = open_store(source)
    with store.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER events_no_update"))
        connection.execute(sa.text("UPDATE events SET actor = 'sam' WHERE seq = 1"))
    store.close()
    with pytest.raises(RefusedError, match="not what was hashed"):
        databases.migrate(source, f"sqlite:///{tmp_path}/target.sqlite")


def test_a_source_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="there is no database"):
        databases.migrate(f"sqlite:///{tmp_path}/a.sqlite", f"sqlite:///{tmp_path}/b.sqlite")
    assert not (tmp_path / "a.sqlite").exists()


def test_keys_go_on_behind_those_that_were_copied(source: str, new_database: str) -> None:
    old = open_store(source)
    with old.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO signals (rollout, signal, actor, reason, given_at) "
                "VALUES ('r1', 'pause', 'kim', '', '2026-11-23 00:00:00.000000')"
            )
        )
    old.close()
    databases.migrate(source, new_database)
    new = open_store(new_database)
    with new.begin() as connection:
        number = connection.execute(
            sa.text(
                "INSERT INTO signals (rollout, signal, actor, reason, given_at) "
                "VALUES ('r1', 'pause', 'kim', '', '2026-11-23 00:00:00+00') RETURNING id"
            )
        ).scalar_one()
    new.close()
    assert number == 2


def test_status_tells_where_and_how_much(source: str, tmp_path: Path) -> None:
    found = databases.status(Workspace(tmp_path / "home", source))
    assert (found.kind, found.unfinished, found.workers) == ("sqlite", ("r1",), ())
    assert found.rows["rollouts"] == 1
    assert found.size > 0
    assert found.place == source
