"""A rollout that an older Suture began goes on where it stood."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.documents import encode
from suture.core.planning.plan import Plan
from suture.core.rollout import transitions
from suture.core.rollout.state import HostPhase, HostState, RolloutStatus
from suture.engine.driver import driving
from suture.store import rollouts
from suture.store.database import make_engine, open_store
from suture.store.upgrading import upgrade
from tests.unit.engine.pretend import PretendRunner

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def older(tmp_path: Path, plan: Plan) -> str:
    """A database in which a rollout's hosts still stood in its document: web1 is done, web2 at
    work."""
    state = transitions.start(plan, "r1")
    state = transitions.host_started(state, "web1", HostPhase.PATCHING, "", NOW)
    state = transitions.host_finished(state, "web1", HostPhase.DONE, "well", NOW)
    state = transitions.close_wave(state, 0, NOW)
    state = transitions.host_started(state, "web2", HostPhase.PATCHING, "", NOW)
    url = f"sqlite:///{tmp_path}/older.sqlite"
    engine = make_engine(url)
    with engine.begin() as connection:
        upgrade(connection, "0005")
        connection.execute(
            sa.text("INSERT INTO plans VALUES (:id, NULL, :now, :document)"),
            {"id": plan.id, "now": "2026-11-23 00:00:00.000000", "document": encode(plan)},
        )
        connection.execute(
            sa.text(
                "INSERT INTO rollouts VALUES "
                "('r1', :plan, 'running', :state, 7, 0, 'kim', :now, NULL)"
            ),
            {"plan": plan.id, "now": "2026-11-23 00:00:00.000000", "state": encode(state)},
        )
        connection.execute(sa.text("INSERT INTO fences VALUES ('web2', 4)"))
    engine.dispose()
    return url


def test_hosts_move_to_rows_of_their_own(older: str) -> None:
    store = open_store(older)
    with store.read() as connection:
        stored = rollouts.get(connection, "r1")
        document = connection.execute(sa.text("SELECT state FROM rollouts")).scalar_one()
    store.close()
    assert stored is not None
    assert stored.revision == 7
    web1, web2, web3 = stored.state.hosts
    assert web1 == HostState("web1", HostPhase.DONE, 0, NOW, "well")
    assert web2.phase is HostPhase.PATCHING
    assert web3 == HostState("web3")
    assert msgspec.json.decode(document)["hosts"] == []
    assert document == encode(replace(stored.state, hosts=()))


def test_the_rollout_goes_on(older: str, tmp_path: Path) -> None:
    store = open_store(older)
    runner = PretendRunner(tmp_path)
    with driving(store, runner, at_once=8, rollout="r1") as driver:
        tick = driver.drive("r1", on_event=lambda event: None, on_tick=lambda tick: None)
    store.close()
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert {host.phase for host in tick.rollout.state.hosts} == {HostPhase.DONE}
    assert not (tmp_path / "web1.json").exists()
    assert runner.record("web2")["fence"] > 4
