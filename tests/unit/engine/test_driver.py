"""Rollouts driven over pretend hosts, with the driving process killed at every step boundary."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from suture.core import chain
from suture.core.documents import decode
from suture.core.evidence import Step
from suture.core.planning import Plan
from suture.core.progress import HostPhase, RolloutStatus, Signal
from suture.engine import ticks
from suture.engine.driver import driving
from suture.engine.records import StepFinished
from suture.store import events, plans, rollouts, signals
from suture.store.database import Store, open_store
from tests.unit.core import builders
from tests.unit.engine.pretend import PretendRunner

ROOT = Path(__file__).parents[3]
STEPS = [step for step in Step if step not in (Step.ROLL_BACK, Step.VERIFY_ROLL_BACK)]


def _url(directory: Path) -> str:
    return f"sqlite:///{directory}/store.sqlite"


def _start(directory: Path, plan: Plan) -> Store:
    store = open_store(_url(directory))
    with store.begin() as connection:
        plans.save(connection, plan)
    ticks.start_rollout(
        store, plan, "r1", actor="kim", without_rehearsal=False, now=datetime.now(UTC)
    )
    return store


def _plan() -> Plan:
    return builders.plan(
        [
            builders.wave(0, ["web1"], soak_s=0.0),
            builders.wave(1, ["web2", "web3"], soak_s=0.0),
        ]
    )


def _drive(store: Store, directory: Path, runner: PretendRunner) -> ticks.Tick:
    with driving(store, runner, at_once=8) as driver:
        return driver.drive("r1", on_event=lambda event: None, on_tick=lambda tick: None)


def _phases(store: Store) -> dict[str, HostPhase]:
    with store.read() as connection:
        stored = rollouts.get(connection, "r1")
    assert stored is not None
    return rollouts.host_phases(stored.state)


def _step_events(store: Store) -> list[tuple[str, str]]:
    with store.read() as connection:
        log = list(events.stream(connection, subject="r1"))
    return [(e.host, decode(e.data, StepFinished).step) for e in log if e.kind == "step.finished"]


def _log_is_whole(store: Store) -> bool:
    with store.read() as connection:
        return chain.verify(events.stream(connection)).broken_at is None


def test_every_host_is_patched_wave_by_wave(tmp_path: Path) -> None:
    store = _start(tmp_path, _plan())
    runner = PretendRunner(tmp_path)
    tick = _drive(store, tmp_path, runner)
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert set(_phases(store).values()) == {HostPhase.DONE}
    with store.read() as connection:
        log = list(events.stream(connection, subject="r1"))
    order = [(event.kind, event.host) for event in log if event.kind.startswith("host.")]
    assert order[:2] == [("host.patching", "web1"), ("host.done", "web1")]
    assert len(runner.released) == 3
    assert _log_is_whole(store)


def test_a_failed_host_is_taken_back_and_the_rest_is_not_started(tmp_path: Path) -> None:
    store = _start(tmp_path, _plan())
    tick = _drive(store, tmp_path, PretendRunner(tmp_path, fails={"web1": "verify"}))
    assert tick.needs_person
    assert tick.rollout.state.status is RolloutStatus.PAUSED
    assert "web1" in tick.rollout.state.reason
    assert _phases(store) == {
        "web1": HostPhase.ROLLED_BACK,
        "web2": HostPhase.WAITING,
        "web3": HostPhase.WAITING,
    }


def test_a_person_resumes_and_the_rest_goes_on(tmp_path: Path) -> None:
    store = _start(tmp_path, _plan())
    _drive(store, tmp_path, PretendRunner(tmp_path, fails={"web1": "preflight"}))
    assert _phases(store)["web1"] is HostPhase.SKIPPED
    with store.begin() as connection:
        number = signals.give(
            connection, "r1", Signal.RESUME, actor="kim", reason="", now=datetime.now(UTC)
        )
    tick = _drive(store, tmp_path, PretendRunner(tmp_path))
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert _phases(store)["web3"] is HostPhase.DONE
    with store.read() as connection:
        answered = signals.get(connection, number)
    assert answered is not None
    assert answered.answer == ""


def test_a_signal_that_makes_no_sense_is_refused_with_the_reason(tmp_path: Path) -> None:
    plan = _plan()
    store = _start(tmp_path, plan)
    with store.begin() as connection:
        number = signals.give(
            connection, "r1", Signal.APPROVE, actor="kim", reason="", now=datetime.now(UTC)
        )
    ticks.take_signals(store, plan, "r1", datetime.now(UTC))
    with store.read() as connection:
        answered = signals.get(connection, number)
    assert answered is not None
    assert answered.answer == "no wave waits for approval"


def _spawn(directory: Path, stop_at: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.unit.engine.pretend",
            _url(directory),
            str(directory),
            "r1",
            stop_at,
        ],
        cwd=ROOT,
    )


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_boundary_and_restarted(tmp_path: Path, step: Step, when: str) -> None:
    store = _start(tmp_path, _plan())
    killed = _spawn(tmp_path, f"{step.value}:{when}")
    assert killed.wait(60) == -signal.SIGKILL
    assert HostPhase.DONE not in _phases(store).values()

    runner = PretendRunner(tmp_path)
    tick = _drive(store, tmp_path, runner)

    assert tick.rollout.state.status is RolloutStatus.DONE
    for host in ("web1", "web2", "web3"):
        done = runner.record(host)["done"]
        assert len(done) == len(set(done)) == len(STEPS)
    asked = runner.record("web1")["asked"]
    assert len(asked) <= len(STEPS) + 1
    told = _step_events(store)
    assert len(told) == len(set(told)) == 3 * len(STEPS)
    assert _log_is_whole(store)


def test_a_frozen_driver_that_wakes_up_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _start(tmp_path, _plan())
    frozen = _spawn(tmp_path, "apply:freeze")
    try:
        while not (tmp_path / "stopped").exists():
            assert frozen.poll() is None
            time.sleep(0.05)
        monkeypatch.setattr("suture.engine.membership.DEAD_AFTER_S", 3.0)
        runner = PretendRunner(tmp_path)
        tick = _drive(store, tmp_path, runner)
        assert tick.rollout.state.status is RolloutStatus.DONE
        before, told = runner.record("web1")["done"], _step_events(store)
        frozen.send_signal(signal.SIGCONT)
        frozen.wait(60)
        assert runner.record("web1")["done"] == before
        assert runner.record("web1")["refused"]
        assert _step_events(store) == told
        assert set(_phases(store).values()) == {HostPhase.DONE}
        assert _log_is_whole(store)
    finally:
        frozen.kill()
        frozen.wait()
