"""Rollouts driven over pretend hosts, with the driving process killed at every step boundary."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from suture.core import chain
from suture.core.documents import decode, encode
from suture.core.evidence import Step
from suture.core.planning.gates import Alerts, Gate
from suture.core.planning.hooks import Hook, HookPhase, Place
from suture.core.planning.plan import CatchUp, Plan
from suture.core.rollout.state import HostPhase, RolloutStatus, Signal
from suture.core.rollout.ways_back import AskedBack, WayBack
from suture.engine import ticks
from suture.engine.driver import LeaseLostError, driving
from suture.engine.records import StepFinished
from suture.engine.work import PATCHING
from suture.store import events, looks, plans, rollouts, signals, workers
from suture.store.database import Store, open_store
from tests.unit.core import builders
from tests.unit.engine.pretend import PretendRunner

ROOT = Path(__file__).parents[3]
STEPS = PATCHING


def _drive(store: Store, runner: PretendRunner) -> ticks.Tick:
    with driving(store, runner, at_once=8, rollout="r1") as driver:
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


def test_every_host_is_patched_wave_by_wave(store: Store, tmp_path: Path) -> None:
    runner = PretendRunner(tmp_path)
    tick = _drive(store, runner)
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert set(_phases(store).values()) == {HostPhase.DONE}
    with store.read() as connection:
        log = list(events.stream(connection, subject="r1"))
    order = [(event.kind, event.host) for event in log if event.kind.startswith("host.")]
    assert order[:2] == [("host.patching", "web1"), ("host.done", "web1")]
    assert len(runner.released) == 3
    assert _log_is_whole(store)


def test_a_failed_host_is_taken_back_and_the_rest_is_not_started(
    store: Store, tmp_path: Path
) -> None:
    tick = _drive(store, PretendRunner(tmp_path, fails={"web1": "verify"}))
    assert tick.needs_person
    assert tick.rollout.state.status is RolloutStatus.PAUSED
    assert "web1" in tick.rollout.state.reason
    assert _phases(store) == {
        "web1": HostPhase.ROLLED_BACK,
        "web2": HostPhase.WAITING,
        "web3": HostPhase.WAITING,
    }


def test_a_suspect_is_held_back_and_the_log_says_so(tmp_path: Path) -> None:
    plan = builders.plan(
        [builders.wave(0, ["web1", "web2", "web3"], parallel=1, soak_s=0.0)], max_held_back=1
    )
    plan = builders.with_host(plan, "web3", changes=(builders.change("curl"),))
    store = _stored(tmp_path, plan)
    tick = _drive(store, PretendRunner(tmp_path, fails={"web1": "verify"}, suspects=("nginx",)))
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert _phases(store) == {
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
    _drive(store, PretendRunner(tmp_path, fails={"web1": "preflight"}))
    assert _phases(store)["web1"] is HostPhase.SKIPPED
    with store.begin() as connection:
        number = signals.give(
            connection, "r1", Signal.RESUME, actor="kim", reason="", now=datetime.now(UTC)
        )
    tick = _drive(store, PretendRunner(tmp_path))
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert _phases(store)["web3"] is HostPhase.DONE
    with store.read() as connection:
        answered = signals.get(connection, number)
    assert answered is not None
    assert answered.answer == ""


def _spawn(directory: Path, stop_at: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.unit.engine.pretend",
            f"sqlite:///{directory}/store.sqlite",
            str(directory),
            "r1",
            stop_at,
        ],
        cwd=ROOT,
    )


@pytest.mark.parametrize("when", ["before", "amid", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_around_and_amid_a_step_and_restarted(
    store: Store, tmp_path: Path, step: Step, when: str
) -> None:
    killed = _spawn(tmp_path, f"{step.value}:{when}")
    assert killed.wait(60) == -signal.SIGKILL
    assert HostPhase.DONE not in _phases(store).values()

    runner = PretendRunner(tmp_path)
    tick = _drive(store, runner)

    assert tick.rollout.state.status is RolloutStatus.DONE
    for host in ("web1", "web2", "web3"):
        done = runner.record(host)["done"]
        assert len(done) == len(set(done)) == len(STEPS)
    asked = runner.record("web1")["asked"]
    assert len(asked) <= len(STEPS) + 1
    told = _step_events(store)
    assert len(told) == len(set(told)) == 3 * len(STEPS)
    assert _log_is_whole(store)


def _hooked(tmp_path: Path, **fields: Any) -> Store:
    """One host with a command for each phase of hooks, not yet driven."""
    plan = builders.plan([builders.wave(0, ["web1"], soak_s=0.0)], **fields)
    hooks = tuple(Hook(phase, Place.CONTROLLER, "true", 5.0) for phase in HookPhase)
    return _stored(tmp_path, builders.with_host(plan, "web1", hooks=hooks))


def _stored(tmp_path: Path, plan: Plan) -> Store:
    """A rollout of the plan, not yet driven."""
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite")
    with store.begin() as connection:
        plans.save(connection, plan)
    ticks.start_rollout(
        store, plan, "r1", actor="kim", without_rehearsal=False, now=datetime.now(UTC)
    )
    return store


DRAINED = [Step.BUNDLE, Step.BEFORE, Step.DRAIN, Step.APPLY]
PUT_BACK = [Step.VERIFY, Step.AFTER, Step.UNDRAIN]
BACK = [
    Step.DRAIN_ROLL_BACK,
    Step.ROLL_BACK,
    Step.REBOOT_ROLL_BACK,
    Step.VERIFY_ROLL_BACK,
    Step.UNDRAIN_ROLL_BACK,
]


@pytest.mark.parametrize(
    ("fails", "rolls_back", "last", "phase"),
    [
        ("", True, PUT_BACK, HostPhase.DONE),
        ("before", True, [Step.BUNDLE, Step.BEFORE], HostPhase.SKIPPED),
        ("drain", True, [Step.BEFORE, Step.DRAIN, Step.UNDRAIN], HostPhase.SKIPPED),
        ("apply", True, [Step.APPLY, *BACK], HostPhase.ROLLED_BACK),
        ("after", True, [Step.AFTER, *BACK], HostPhase.ROLLED_BACK),
        ("apply", False, [Step.DRAIN, Step.APPLY, Step.UNDRAIN], HostPhase.FAILED),
        ("undrain", True, PUT_BACK, HostPhase.LOST),
    ],
)
def test_an_undrain_follows_every_drain(
    tmp_path: Path, fails: str, rolls_back: bool, last: list[Step], phase: HostPhase
) -> None:
    store = _hooked(tmp_path, rollback_on_failure=rolls_back)
    runner = PretendRunner(tmp_path, fails={"web1": fails} if fails else {})
    _drive(store, runner)
    steps = [step for _, step in _step_events(store)]
    assert steps[-len(last) :] == last
    assert _phases(store) == {"web1": phase}
    told = HostPhase.DONE if fails == "undrain" else phase
    assert runner.outcomes == ([] if fails == "before" else [told])
    store.close()


def test_a_way_back_that_is_refused_leaves_the_host_patched_and_may_be_asked_again(
    tmp_path: Path,
) -> None:
    store = _hooked(tmp_path)
    _drive(store, PretendRunner(tmp_path))
    wish = (AskedBack("web1", WayBack(), "kim: slow"),)
    ticks.ask_back(store, "r1", wish, actor="kim", now=datetime.now(UTC))
    refusing = PretendRunner(tmp_path, refuses=("web1",))
    state = _drive(store, refusing).rollout.state
    assert (state.status, state.hosts[0].phase) == (RolloutStatus.DONE, HostPhase.DONE)
    assert state.hosts[0].reason == (
        "still patched: the way back was refused and changed nothing; roll-back: nginx is now 3"
    )
    assert [step for _, step in _step_events(store)][-5:] == BACK
    assert refusing.outcomes == [HostPhase.DONE]
    ticks.ask_back(store, "r1", wish, actor="kim", now=datetime.now(UTC))
    _drive(store, PretendRunner(tmp_path))
    assert _phases(store) == {"web1": HostPhase.ROLLED_BACK}
    assert _log_is_whole(store)
    store.close()


@pytest.mark.parametrize("when", ["before", "amid", "after"])
@pytest.mark.parametrize("step", [Step.DRAIN, Step.APPLY, Step.AFTER, Step.UNDRAIN])
def test_a_host_is_put_back_when_the_controller_was_killed(
    tmp_path: Path, step: Step, when: str
) -> None:
    store = _hooked(tmp_path)
    assert _spawn(tmp_path, f"{step.value}:{when}").wait(60) == -signal.SIGKILL
    _drive(store, PretendRunner(tmp_path))
    assert _phases(store) == {"web1": HostPhase.DONE}
    steps = [one for _, one in _step_events(store)]
    assert steps[2:6] == DRAINED
    assert steps[-3:] == PUT_BACK
    assert len(steps) == len(set(steps))
    store.close()


def _reason(store: Store) -> str:
    """Of the only host, which is lost; the event log says the same."""
    with store.read() as connection:
        stored = rollouts.get(connection, "r1")
        (lost,) = (e for e in events.stream(connection, subject="r1") if e.kind == "host.lost")
    assert stored is not None
    (host,) = stored.state.hosts
    assert host.phase is HostPhase.LOST
    assert encode({"reason": host.reason}).decode() == lost.data
    return host.reason


@pytest.mark.parametrize("step", [Step.APPLY, Step.AFTER])
def test_a_host_that_is_lost_stays_drained_and_says_so(tmp_path: Path, step: Step) -> None:
    store = _hooked(tmp_path)
    runner = PretendRunner(tmp_path, cut=step.value)
    _drive(store, runner)
    assert "it is still drained" in _reason(store)
    assert "suture rollback r1 --host web1" in _reason(store)
    assert runner.outcomes == []
    ticks.ask_back(
        store,
        "r1",
        (AskedBack("web1", WayBack(), "kim"),),
        actor="kim",
        now=datetime.now(UTC),
    )
    _drive(store, PretendRunner(tmp_path))
    assert [one for _, one in _step_events(store)][-len(BACK) :] == BACK
    assert _phases(store) == {"web1": HostPhase.ROLLED_BACK}
    store.close()


@pytest.mark.parametrize(
    ("raises", "told"),
    [
        (Step.PREFLIGHT, ""),
        (Step.DRAIN, "it may be drained"),
        (Step.APPLY, "it is still drained"),
        (Step.UNDRAIN, "it is still drained"),
    ],
)
def test_a_defect_leaves_a_drained_host_drained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raises: Step, told: str
) -> None:
    monkeypatch.setattr("suture.engine.driver.HEARTBEAT_S", 0.1)
    store = _hooked(tmp_path)
    _drive(store, PretendRunner(tmp_path, raises=raises.value))
    reason = _reason(store)
    assert "a defect of the runner" in reason
    assert told in reason
    assert ("drained" in reason) is bool(told)
    assert Step.UNDRAIN not in [one for _, one in _step_events(store)]
    store.close()


def _gated(tmp_path: Path) -> Store:
    """A wave whose alerts have to be quiet for a second, and another."""
    gate = Gate(0.5, alerts=Alerts("http://127.0.0.1:1"))
    first = builders.wave(0, ["web1"], soak_s=1.0, gate=gate)
    return _stored(tmp_path, builders.plan([first, builders.wave(1, ["web2"])]))


def test_a_wave_is_looked_at_while_it_soaks(tmp_path: Path) -> None:
    store = _gated(tmp_path)
    runner = PretendRunner(tmp_path)
    tick = _drive(store, runner)
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert runner.looks == ["r1:gate:0:0", "r1:gate:0:1", "r1:gate:0:2"]
    with store.read() as connection:
        kinds = [event.kind for event in events.stream(connection, subject="r1")]
        assert len(looks.of_wave(connection, "r1", 0)) == 3
    assert kinds.index("wave.closed") < kinds.index("gate.pass")
    assert _log_is_whole(store)
    store.close()


def test_an_alert_in_the_soak_pauses(tmp_path: Path) -> None:
    store = _gated(tmp_path)
    tick = _drive(store, PretendRunner(tmp_path, alerts=("HostDown",)))
    assert tick.needs_person
    assert "the gate of ring-0 is fail: alerts fire: HostDown" in tick.rollout.state.reason
    assert _phases(store)["web2"] is HostPhase.WAITING
    store.close()


def test_a_defect_while_looking_pauses(tmp_path: Path) -> None:
    store = _gated(tmp_path)
    tick = _drive(store, PretendRunner(tmp_path, raises="look"))
    assert tick.needs_person
    assert "is inconclusive: looking at it went wrong" in tick.rollout.state.reason
    store.close()


def test_a_look_that_was_cut_off_by_a_crash_is_taken_again(tmp_path: Path) -> None:
    store = _gated(tmp_path)
    assert _spawn(tmp_path, "look:1").wait(60) == -signal.SIGKILL
    tick = _drive(store, PretendRunner(tmp_path))
    assert tick.rollout.state.status is RolloutStatus.DONE
    with store.read() as connection:
        assert [one.number for one in looks.of_wave(connection, "r1", 0)] == [0, 1, 2]
    store.close()


def test_a_host_that_was_away_is_tried_again_while_the_rollout_runs(tmp_path: Path) -> None:
    first = builders.wave(0, ["web1", "web2"], soak_s=3.0)
    plan = builders.plan([first, builders.wave(1, ["web3"])], catch_up=CatchUp(2, 0.5))
    store = _stored(tmp_path, plan)
    tick = _drive(store, PretendRunner(tmp_path, away=("web2",)))
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert set(_phases(store).values()) == {HostPhase.DONE}
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
    frozen = _spawn(tmp_path, "apply:freeze")
    try:
        while not (tmp_path / "stopped").exists():
            assert frozen.poll() is None
            time.sleep(0.05)
        monkeypatch.setattr("suture.engine.membership.DEAD_AFTER_S", 3.0)
        runner = PretendRunner(tmp_path)
        tick = _drive(store, runner)
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


def test_two_processes_drive_one_rollout_and_no_host_is_worked_on_twice(
    store: Store, tmp_path: Path
) -> None:
    other = _spawn(tmp_path, "")
    runner = PretendRunner(tmp_path)
    tick = _drive(store, runner)
    assert other.wait(60) == 0
    assert tick.rollout.state.status is RolloutStatus.DONE
    for host in ("web1", "web2", "web3"):
        record = runner.record(host)
        assert (len(record["asked"]), record["refused"]) == (len(STEPS), [])
    assert _log_is_whole(store)


def test_work_that_ends_without_a_word_is_told_as_lost(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suture.engine.driver.HEARTBEAT_S", 0.1)
    tick = _drive(store, PretendRunner(tmp_path, raises="web1"))
    assert tick.needs_person
    (web1, *_) = tick.rollout.state.hosts
    assert web1.phase is HostPhase.LOST
    assert "a defect of the runner" in web1.reason


def test_a_way_back_after_the_end_is_driven(store: Store, tmp_path: Path) -> None:
    runner = PretendRunner(tmp_path)
    _drive(store, runner)
    asked = (AskedBack("web2", WayBack(), "kim: slow"),)
    ticks.ask_back(store, "r1", asked, actor="kim", now=datetime.now(UTC))
    _drive(store, runner)
    assert _phases(store)["web2"] is HostPhase.ROLLED_BACK
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
    assert _phases(store)["web1"] is HostPhase.PATCHING
    assert runner.released == ["r1:web1:0:patch"]
