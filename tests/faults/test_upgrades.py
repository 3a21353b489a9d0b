"""A schema upgrade in mid-rollout goes on where it stood, from every schema there was.

``recorded/rollout.json`` holds the rows of a rollout in mid-flight as a controller of schema 0005
left them when it was killed: one host done, one amid its steps, the rest waiting.
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from suture.core import chain
from suture.core.rollout.state import HostPhase, RolloutStatus
from suture.hosts.transaction import transaction_id
from suture.store import events, rollouts, upgrading
from suture.store.database import make_engine, open_store
from tests.faults import fleet
from tests.faults.controller import Orders
from tests.faults.fleet import PretendFleet
from tests.faults.host import Flaws
from tests.faults.zygote import Child, Zygote
from tests.unit.store.postgresql import missing, running

_RECORDED = Path(__file__).parent / "recorded" / "rollout.json"
_REVISIONS = [one.revision for one in upgrading._scripts().walk_revisions()]
_ROLLOUT = "mid-rollout"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.sqlite"
        return
    if reason := missing():
        pytest.skip(reason)
    with running() as server:
        yield server.empty()


@pytest.mark.parametrize("revision", ["0001", "0005"])
def test_a_rollout_goes_on_where_it_stood(
    url: str, revision: str, controllers: Zygote, tmp_path: Path
) -> None:
    assert revision in _REVISIONS
    engine = make_engine(url)
    with engine.begin() as connection:
        config = upgrading._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        _load(connection)
    engine.dispose()

    store = open_store(url)
    with store.read() as connection:
        before = rollouts.step_reports(connection, _ROLLOUT)
        told = list(events.stream(connection))
    phases = _phases(url)
    assert sorted(phase.value for phase in phases.values()) == ["done", "patching", "waiting"]
    assert chain.verify(told).broken_at is None
    (patching,) = (host for host, phase in phases.items() if phase is HostPhase.PATCHING)

    with fleet.running(tmp_path / "hosts", {host: Flaws() for host in phases}) as pretend:
        _patched_before(pretend, url, patching)
        child = controllers.fork(
            Orders(url, str(tmp_path / "log"), _ROLLOUT, str(tmp_path / "hosts"))
        )
        assert _wait(child) == 0
        taken = {(entry.host, entry.step) for entry in pretend.record.of("began")}

    reported = {(report.host, report.step.value) for report in before}
    assert not taken & reported, "a step that was reported is not taken again"
    assert (patching, "apply") in taken
    assert set(_phases(url).values()) == {HostPhase.DONE}
    with store.read() as connection:
        assert chain.verify(events.stream(connection)).broken_at is None
        stored = rollouts.get(connection, _ROLLOUT)
    assert stored is not None
    assert stored.state.status is RolloutStatus.DONE
    store.close()


def _patched_before(pretend: PretendFleet, url: str, patching: str) -> None:
    """The hosts are as the reports say: the one at work has its return bundle already."""
    host = pretend.hosts[patching]
    host.bundles.add(transaction_id(_ROLLOUT, patching, "return", 0))


def _phases(url: str) -> dict[str, HostPhase]:
    store = open_store(url)
    with store.read() as connection:
        stored = rollouts.get(connection, _ROLLOUT)
    store.close()
    assert stored is not None
    return {host.host: host.phase for host in stored.state.hosts}


def _wait(child: Child) -> int:
    while child.status is None:
        time.sleep(0.05)
    return child.status


def _load(connection: sa.Connection) -> None:
    metadata = sa.MetaData()
    metadata.reflect(connection)
    for name, rows in json.loads(_RECORDED.read_text()).items():
        table = metadata.tables[name]
        for row in rows:
            connection.execute(sa.insert(table).values(_typed(table, row)))
        if connection.dialect.name == "postgresql" and name == "reports":
            connection.exec_driver_sql(
                "SELECT setval(pg_get_serial_sequence('reports', 'id'), max(id)) FROM reports"
            )


def _typed(table: sa.Table, row: dict[str, Any]) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for key, value in row.items():
        kind = table.c[key].type
        if isinstance(kind, sa.LargeBinary) and value is not None:
            value = value.encode()
        elif isinstance(kind, sa.DateTime) and value is not None:
            value = datetime.fromisoformat(value)
        elif isinstance(kind, sa.Boolean) and value is not None:
            value = bool(value)
        typed[key] = value
    return typed
