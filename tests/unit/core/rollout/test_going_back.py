"""What of a wave, or of all, is taken back when too many fail."""

from datetime import timedelta

import pytest

from suture.core.planning.plan import OnFailure, Plan
from suture.core.rollout.progress import next_actions
from suture.core.rollout.signals import apply_signal
from suture.core.rollout.state import (
    ActionKind,
    HostPhase,
    RolloutState,
    RolloutStatus,
    Signal,
)
from suture.core.rollout.transitions import (
    carried_out,
    close_wave,
    host_finished,
    host_started,
    pause,
    start,
)
from tests.unit.core.builders import NOW, plan, wave
from tests.unit.core.rollout.test_progress import ended, kinds


def two_waves(action: OnFailure) -> tuple[Plan, RolloutState]:
    """a of the first wave and b, c of the second are well, d failed where none may."""
    first = wave(0, ["a"], on_failure=action)
    second = wave(1, ["b", "c", "d"], on_failure=action)
    whole = plan([first, second], {"web": (["b", "c"], 1)})
    state = start(whole, "r")
    for host in ("a", "b", "c"):
        state = ended(state, host, HostPhase.DONE)
    state = close_wave(state, 0, NOW)
    return whole, ended(state, "d", HostPhase.FAILED, "it hurt")


@pytest.mark.parametrize(
    ("action", "taken_back", "words"),
    [
        (OnFailure.PAUSE, [], "d failed: it hurt"),
        (OnFailure.ROLL_BACK_HOST, ["d"], "d failed: it hurt"),
        (OnFailure.ROLL_BACK_WAVE, ["d", "b"], "the patched hosts of ring-1 are taken back"),
        (OnFailure.ROLL_BACK_ALL, ["d", "a", "b"], "all patched hosts are taken back"),
    ],
)
def test_what_is_taken_back_when_too_many_fail(
    action: OnFailure, taken_back: list[str], words: str
) -> None:
    whole, state = two_waves(action)
    later = NOW + timedelta(hours=1)
    actions = next_actions(whole, state, later)
    assert words in actions[-1].reason
    state = carried_out(state, actions, later)
    assert state.status is RolloutStatus.PAUSED
    state = carried_out(state, next_actions(whole, state, later)[:-1], later)
    working = [host.host for host in state.hosts if host.phase is HostPhase.ROLLING_BACK]
    assert sorted(working) == sorted(taken_back)


def test_a_service_is_taken_back_one_by_one_and_a_person_ends_it() -> None:
    whole, state = two_waves(OnFailure.ROLL_BACK_WAVE)
    later = NOW + timedelta(hours=1)
    for _ in range(2):
        state = carried_out(state, next_actions(whole, state, later), later)
    for host in ("d", "b"):
        state = host_finished(state, host, HostPhase.ROLLED_BACK, "", later)
    back, _ = next_actions(whole, state, later)
    assert (back.kind, back.host) == (ActionKind.ROLL_BACK_HOST, "c")
    resumed = apply_signal(whole, state, Signal.RESUME, later)
    assert kinds(next_actions(whole, resumed, later)) == [ActionKind.CLOSE_WAVE]


def test_a_patched_host_that_its_service_cannot_spare_is_named() -> None:
    whole, state = two_waves(OnFailure.ROLL_BACK_WAVE)
    later = NOW + timedelta(hours=1)
    state = host_finished(
        host_started(state, "b", HostPhase.ROLLING_BACK, "", later),
        "b",
        HostPhase.ROLLBACK_FAILED,
        "",
        later,
    )
    state = host_finished(
        host_started(state, "d", HostPhase.ROLLING_BACK, "", later),
        "d",
        HostPhase.ROLLED_BACK,
        "",
        later,
    )
    state = pause(state, "why", take_back=(1,))
    (wait,) = next_actions(whole, state, later)
    assert "1 are still patched for want of room (service web: b out, 1 may be)" in wait.reason
    aborted = apply_signal(whole, state, Signal.ABORT, later)
    assert kinds(next_actions(whole, aborted, later)) == [ActionKind.FINISH]
