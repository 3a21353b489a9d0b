"""Rollouts driven over pretend hosts, with the driving process killed at every step boundary."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from suture.core.evidence import Step
from suture.core.planning.plan import CatchUp
from suture.core.rollout.state import HostPhase, RolloutStatus, Signal
from suture.core.rollout.ways_back import AskedBack, WayBack
from suture.engine import ticks
from suture.engine.driver import LeaseLostError, driving
from suture.store import events, signals, workers
from suture.store.database import Store
from tests.unit.core import builders
from tests.unit.engine.driven import STEPS, drive, log_is_whole, phases, spawn, step_events, stored
from tests.unit.engine.pretend import PretendRunner


def test_every_host_is_patched_wave_by_wave(store: Store, tmp_path: Path) -> None:
    runner = PretendRunner(tmp_path)
    tick = drive(store, runner)
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert set(phases(store).values()) == {HostPhase.DONE}
    with store.read() as connection:
        log = list(events.stream(connection, subject="r1"))
    order = [(event.kind, event.host) for event in log if event.kind.startswith("host.")]
    assert order[:2] == [("host.patching", "web1"), ("host.done", "web1")]
    assert len(runner.released) == 3
    assert log_is_whole(store)


def test_a_failed_host_is_taken_back_and_the_rest_is_not_started(
    store: Store, tmp_path: Path
) -> None:
    tick = drive(store, PretendRunner(tmp_path, fails={"web1": "verify"}))
    assert tick.needs_person
    assert tick.rollout.state.status is RolloutStatus.PAUSED
    assert "web1" in tick.rollout.state.reason
    assert phases(store) == {
        "web1": HostPhase.ROLLED_BACK,
        "web2": HostPhase.WAITING,
        "web3": HostPhase.WAITING,
    }


def test_a_suspect_is_held_back_and_the_log_says_so(tmp_path: Path) -> None:
    plan = builders.plan(
        [builders.wave(0, ["web1", "web2", "web3"], parallel=1, soak_s=0.0)], max_held_back=1
    )
    plan = builders.with_host(plan, "web3", changes=(builders.change("curl"),))
    store = stored(tmp_path, plan)
    tick = drive(store, PretendRunner(tmp_path, fails={"web1": "verify"}, suspects=("nginx",)))
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert phases(store) == {
        "web1": HostPhase.ROLLED_BACK,
        "web2": HostPhase.SKIPPED,
        "web3": HostPhase.DONE,
    }
    assert [one.source for one in tick.rollout.state.held_back] == ["nginx"]
    with store.read() as connection:
        log = list(events.stream(connection, subject="r1"))
    assert [(e.kind, e.host) for e in log if "held" in e.kind or "skipped" in e.kind] == [
        ("package.held-back", ""),
        ("host.skipped", "web2"),
    ]
    store.close()


def test_a_person_resumes_and_the_rest_goes_on(store: Store, tmp_path: Path) -> None:
    drive(store, PretendRunner(tmp_path, fails={"web1": "preflight"}))
    assert phases(store)["web1"] is HostPhase.SKIPPED
    with store.begin() as connection:
        number = signals.give(
            connection, "r1", Signal.RESUME, actor="kim", reason="", now=datetime.now(UTC)
        )
    tick = drive(store, PretendRunner(tmp_path))
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert phases(store)["web3"] is HostPhase.DONE
    with store.read() as connection:
        answered = signals.get(connection, number)
    assert answered is not None
    assert answered.answer == ""


@pytest.mark.parametrize("when", ["before", "amid", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_around_and_amid_a_step_and_restarted(
    store: Store, tmp_path: Path, step: Step, when: str
) -> None:
    killed = spawn(tmp_path, f"{step.value}:{when}")
    assert killed.wait(60) == -signal.SIGKILL
    assert HostPhase.DONE not in phases(store).values()

    runner = PretendRunner(tmp_path)
    tick = drive(store, runner)

    assert tick.rollout.state.status is RolloutStatus.DONE
    for host in ("web1", "web2", "web3"):
        done = runner.record(host)["done"]
        assert len(done) == len(set(done)) == len(STEPS)
    asked = runner.record("web1")["asked"]
    assert len(asked) <= len(STEPS) + 1
    told = step_events(store)
    assert len(told) == len(set(told)) == 3 * len(STEPS)
    assert log_is_whole(store)


def test_a_host_that_was_away_is_tried_again_while_the_rollout_runs(tmp_path: Path) -> None:
    first = builders.wave(0, ["web1", "web2"], soak_s=3.0)
    plan = builders.plan([first, builders.wave(1, ["web3"])], catch_up=CatchUp(2, 0.5))
    store = stored(tmp_path, plan)
    tick = drive(store, PretendRunner(tmp_path, away=("web2",)))
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert set(phases(store).values()) == {HostPhase.DONE}
    with store.read() as connection:
        log = list(events.stream(connection, subject="r1"))
    assert [event.kind for event in log if event.host == "web2" and "host." in event.kind] == [
        "host.patching",
        "host.skipped",
        "host.patching",
        "host.done",
    ]
    store.close()


def test_a_frozen_driver_that_wakes_up_is_refused(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = spawn(tmp_path, "apply:freeze")
    try:
        while not (tmp_path / "stopped").exists():
            assert frozen.poll() is None
            time.sleep(0.05)
        monkeypatch.setattr("suture.engine.membership.DEAD_AFTER_S", 3.0)
        runner = PretendRunner(tmp_path)
        tick = drive(store, runner)
        assert tick.rollout.state.status is RolloutStatus.DONE
        before, told = runner.record("web1")["done"], step_events(store)
        frozen.send_signal(signal.SIGCONT)
        frozen.wait(60)
        assert runner.record("web1")["done"] == before
        assert runner.record("web1")["refused"]
        assert step_events(store) == told
        assert set(phases(store).values()) == {HostPhase.DONE}
        assert log_is_whole(store)
    finally:
        frozen.kill()
        frozen.wait()


def test_two_processes_drive_one_rollout_and_no_host_is_worked_on_twice(
    store: Store, tmp_path: Path
) -> None:
    other = spawn(tmp_path, "")
    runner = PretendRunner(tmp_path)
    tick = drive(store, runner)
    assert other.wait(60) == 0
    assert tick.rollout.state.status is RolloutStatus.DONE
    for host in ("web1", "web2", "web3"):
        record = runner.record(host)
        assert (len(record["asked"]), record["refused"]) == (len(STEPS), [])
    assert log_is_whole(store)


def test_work_that_ends_without_a_word_is_told_as_lost(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suture.engine.driver.HEARTBEAT_S", 0.1)
    tick = drive(store, PretendRunner(tmp_path, raises="web1"))
    assert tick.needs_person
    (web1, *_) = tick.rollout.state.hosts
    assert web1.phase is HostPhase.LOST
    assert "a defect of the runner" in web1.reason


def test_a_way_back_after_the_end_is_driven(store: Store, tmp_path: Path) -> None:
    runner = PretendRunner(tmp_path)
    drive(store, runner)
    asked = (AskedBack("web2", WayBack(), "kim: slow"),)
    ticks.ask_back(store, "r1", asked, actor="kim", now=datetime.now(UTC))
    drive(store, runner)
    assert phases(store)["web2"] is HostPhase.ROLLED_BACK
    assert runner.record("web2")["done"][-1] == "r1:web2:0:back:verify-roll-back"


def test_a_process_that_counts_as_dead_stops_and_says_how_to_go_on(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suture.engine.driver.HEARTBEAT_S", 0.1)
    runner = PretendRunner(tmp_path, hangs="web1")

    def dismiss_once_begun(tick: ticks.Tick) -> None:
        if not runner.begun:
            return
        with store.begin() as connection:
            for worker in workers.listing(connection):
                workers.dismiss(connection, worker.id)

    with (
        driving(store, runner, at_once=8, rollout="r1") as driver,
        pytest.raises(LeaseLostError) as lost,
    ):
        driver.drive("r1", on_event=lambda event: None, on_tick=dismiss_once_begun)
    assert "suture rollout watch r1" in lost.value.remedy
    assert phases(store)["web1"] is HostPhase.PATCHING
    assert runner.released == ["r1:web1:0:patch"]
