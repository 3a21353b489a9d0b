"""Rollouts with hooks over pretend hosts: what was drained is put back, or said to be not."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from suture.core.documents import encode
from suture.core.evidence import Step
from suture.core.planning.hooks import Hook, HookPhase, Place
from suture.core.rollout.state import HostPhase, RolloutStatus
from suture.core.rollout.ways_back import AskedBack, WayBack
from suture.engine import ticks
from suture.store import events, rollouts
from suture.store.database import Store
from tests.unit.core import builders
from tests.unit.engine.driven import drive, log_is_whole, phases, spawn, step_events, stored
from tests.unit.engine.pretend import PretendRunner


def _hooked(tmp_path: Path, **fields: Any) -> Store:
    """One host with a command for each phase of hooks, not yet driven."""
    plan = builders.plan([builders.wave(0, ["web1"], soak_s=0.0)], **fields)
    hooks = tuple(Hook(phase, Place.CONTROLLER, "true", 5.0) for phase in HookPhase)
    return stored(tmp_path, builders.with_host(plan, "web1", hooks=hooks))


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
    drive(store, runner)
    steps = [step for _, step in step_events(store)]
    assert steps[-len(last) :] == last
    assert phases(store) == {"web1": phase}
    told = HostPhase.DONE if fails == "undrain" else phase
    assert runner.outcomes == ([] if fails == "before" else [told])
    store.close()


def test_a_way_back_that_is_refused_leaves_the_host_patched_and_may_be_asked_again(
    tmp_path: Path,
) -> None:
    store = _hooked(tmp_path)
    drive(store, PretendRunner(tmp_path))
    wish = (AskedBack("web1", WayBack(), "kim: slow"),)
    ticks.ask_back(store, "r1", wish, actor="kim", now=datetime.now(UTC))
    refusing = PretendRunner(tmp_path, refuses=("web1",))
    state = drive(store, refusing).rollout.state
    assert (state.status, state.hosts[0].phase) == (RolloutStatus.DONE, HostPhase.DONE)
    assert state.hosts[0].reason == (
        "still patched: the way back was refused and changed nothing; roll-back: nginx is now 3"
    )
    assert [step for _, step in step_events(store)][-5:] == BACK
    assert refusing.outcomes == [HostPhase.DONE]
    ticks.ask_back(store, "r1", wish, actor="kim", now=datetime.now(UTC))
    drive(store, PretendRunner(tmp_path))
    assert phases(store) == {"web1": HostPhase.ROLLED_BACK}
    assert log_is_whole(store)
    store.close()


@pytest.mark.parametrize("when", ["before", "amid", "after"])
@pytest.mark.parametrize("step", [Step.DRAIN, Step.APPLY, Step.AFTER, Step.UNDRAIN])
def test_a_host_is_put_back_when_the_controller_was_killed(
    tmp_path: Path, step: Step, when: str
) -> None:
    store = _hooked(tmp_path)
    assert spawn(tmp_path, f"{step.value}:{when}").wait(60) == -signal.SIGKILL
    drive(store, PretendRunner(tmp_path))
    assert phases(store) == {"web1": HostPhase.DONE}
    steps = [one for _, one in step_events(store)]
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
    drive(store, runner)
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
    drive(store, PretendRunner(tmp_path))
    assert [one for _, one in step_events(store)][-len(BACK) :] == BACK
    assert phases(store) == {"web1": HostPhase.ROLLED_BACK}
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
    drive(store, PretendRunner(tmp_path, raises=raises.value))
    reason = _reason(store)
    assert "a defect of the runner" in reason
    assert told in reason
    assert ("drained" in reason) is bool(told)
    assert Step.UNDRAIN not in [one for _, one in step_events(store)]
    store.close()
