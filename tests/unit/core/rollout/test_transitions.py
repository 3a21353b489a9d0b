"""What may happen to a rollout's state, and what is refused."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from suture.core.rollout.signals import apply_signal
from suture.core.rollout.state import HostPhase, HostState, RolloutState, RolloutStatus, Signal
from suture.core.rollout.transitions import (
    RefusedError,
    close_wave,
    finish,
    host_finished,
    host_started,
    pause,
    start,
)
from tests.unit.core.builders import NOW, host_plan, plan, wave

PLAN = plan([wave(0, ["a", "b"]), wave(1, ["c"], approval=True)])
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def fresh() -> RolloutState:
    return start(PLAN, "r")


def test_a_rollout_starts_with_every_host_waiting(fresh: RolloutState) -> None:
    assert (fresh.plan, fresh.status) == (PLAN.id, RolloutStatus.RUNNING)
    assert fresh.hosts == (HostState("a"), HostState("b"), HostState("c"))


def test_hosts_and_waves_that_disagree_are_refused() -> None:
    stray = replace(PLAN, hosts=(*PLAN.hosts, host_plan("d")))
    twice = plan([wave(0, ["a"]), wave(1, ["a"])])
    for broken in (stray, twice):
        with pytest.raises(RefusedError, match="suture plan lint"):
            start(broken, "r")


def test_a_host_is_started_once(fresh: RolloutState) -> None:
    state = host_started(fresh, "a", HostPhase.PATCHING, "", NOW)
    assert state.hosts[0] == HostState("a", HostPhase.PATCHING, 0, NOW)
    with pytest.raises(RefusedError, match="a is patching; it cannot go on to patching"):
        host_started(state, "a", HostPhase.PATCHING, "", NOW)


def test_nothing_is_started_unless_running(fresh: RolloutState) -> None:
    for state in (pause(fresh, "x"), apply_signal(PLAN, fresh, Signal.ABORT, NOW)):
        with pytest.raises(RefusedError, match="a is not started"):
            host_started(state, "a", HostPhase.PATCHING, "", NOW)


def test_an_end_reported_twice_changes_nothing(fresh: RolloutState) -> None:
    state = host_started(fresh, "a", HostPhase.PATCHING, "", NOW)
    state = host_finished(state, "a", HostPhase.DONE, "", NOW)
    assert host_finished(state, "a", HostPhase.DONE, "again", LATER) is state


@pytest.mark.parametrize("phase", [HostPhase.DONE, HostPhase.ROLLED_BACK, HostPhase.WAITING])
def test_an_end_that_cannot_have_happened_is_refused(fresh: RolloutState, phase: HostPhase) -> None:
    if phase is HostPhase.WAITING:
        fresh = host_started(fresh, "a", HostPhase.PATCHING, "", NOW)
    with pytest.raises(RefusedError, match="cannot have ended as"):
        host_finished(fresh, "a", phase, "", NOW)


def test_a_second_way_back_is_a_new_attempt(fresh: RolloutState) -> None:
    state = host_started(fresh, "a", HostPhase.PATCHING, "", NOW)
    state = host_finished(state, "a", HostPhase.FAILED, "", NOW)
    state = host_started(state, "a", HostPhase.ROLLING_BACK, "", NOW)
    assert state.hosts[0].attempt == 0
    state = host_finished(state, "a", HostPhase.ROLLBACK_FAILED, "", NOW)
    state = host_started(state, "a", HostPhase.ROLLING_BACK, "", NOW)
    assert state.hosts[0].attempt == 1


def test_an_unknown_host_is_refused(fresh: RolloutState) -> None:
    with pytest.raises(RefusedError, match="z is not a host of this rollout"):
        host_started(fresh, "z", HostPhase.PATCHING, "", NOW)


def test_a_wave_is_closed_once(fresh: RolloutState) -> None:
    state = close_wave(fresh, 0, NOW)
    assert close_wave(state, 0, LATER) is state


def test_the_end_of_a_rollout(fresh: RolloutState) -> None:
    assert finish(fresh).status is RolloutStatus.DONE
    aborted = apply_signal(PLAN, fresh, Signal.ABORT, NOW, "by ann")
    assert (finish(aborted), aborted.reason) == (aborted, "by ann")
