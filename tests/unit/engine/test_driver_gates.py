"""Rollouts with gates over pretend hosts: waves are looked at while they soak."""

from __future__ import annotations

import signal
from pathlib import Path

from suture.core.planning.gates import Alerts, Gate
from suture.core.rollout.state import HostPhase, RolloutStatus
from suture.store import events, looks
from suture.store.database import Store
from tests.unit.core import builders
from tests.unit.engine.driven import drive, log_is_whole, phases, spawn, stored
from tests.unit.engine.pretend import PretendRunner


def _gated(tmp_path: Path) -> Store:
    """A wave whose alerts have to be quiet for a second, and another."""
    gate = Gate(0.5, alerts=Alerts("http://127.0.0.1:1"))
    first = builders.wave(0, ["web1"], soak_s=1.0, gate=gate)
    return stored(tmp_path, builders.plan([first, builders.wave(1, ["web2"])]))


def test_a_wave_is_looked_at_while_it_soaks(tmp_path: Path) -> None:
    store = _gated(tmp_path)
    runner = PretendRunner(tmp_path)
    tick = drive(store, runner)
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert runner.looks == ["r1:gate:0:0", "r1:gate:0:1", "r1:gate:0:2"]
    with store.read() as connection:
        kinds = [event.kind for event in events.stream(connection, subject="r1")]
        assert len(looks.of_wave(connection, "r1", 0)) == 3
    assert kinds.index("wave.closed") < kinds.index("gate.pass")
    assert log_is_whole(store)
    store.close()


def test_an_alert_in_the_soak_pauses(tmp_path: Path) -> None:
    store = _gated(tmp_path)
    tick = drive(store, PretendRunner(tmp_path, alerts=("HostDown",)))
    assert tick.needs_person
    assert "the gate of ring-0 is fail: alerts fire: HostDown" in tick.rollout.state.reason
    assert phases(store)["web2"] is HostPhase.WAITING
    store.close()


def test_a_defect_while_looking_pauses(tmp_path: Path) -> None:
    store = _gated(tmp_path)
    tick = drive(store, PretendRunner(tmp_path, raises="look"))
    assert tick.needs_person
    assert "is inconclusive: looking at it went wrong" in tick.rollout.state.reason
    store.close()


def test_a_look_that_was_cut_off_by_a_crash_is_taken_again(tmp_path: Path) -> None:
    store = _gated(tmp_path)
    assert spawn(tmp_path, "look:1").wait(60) == -signal.SIGKILL
    tick = drive(store, PretendRunner(tmp_path))
    assert tick.rollout.state.status is RolloutStatus.DONE
    with store.read() as connection:
        assert [one.number for one in looks.of_wave(connection, "r1", 0)] == [0, 1, 2]
    store.close()
