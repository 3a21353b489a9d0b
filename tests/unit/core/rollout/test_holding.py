"""One package fails: it is installed nowhere else, and what does not bring it goes on."""

from datetime import datetime, timedelta
from typing import Any

from msgspec import UNSET

from suture.core.planning.plan import HeldBack, Plan
from suture.core.rollout.holding import left_out
from suture.core.rollout.progress import next_actions
from suture.core.rollout.signals import apply_signal
from suture.core.rollout.state import ActionKind, HostPhase, RolloutState, RolloutStatus, Signal
from suture.core.rollout.transitions import carried_out, host_finished, host_started, pause, start
from tests.unit.core.builders import NOW, change, plan, wave, with_host

VERSION = "1.22.1-9+deb12u1"
LATER = NOW + timedelta(hours=1)


def mixed(**fields: Any) -> Plan:
    """b and d get openssl alone, a and c nginx as well; one host at a time."""
    waves = [wave(0, ["a", "b"], parallel=1), wave(1, ["c", "d"], parallel=1)]
    whole = plan(waves, max_held_back=1, **fields)
    for name in ("a", "c"):
        whole = with_host(whole, name, changes=(change("nginx"), change("openssl")))
    for name in ("b", "d"):
        whole = with_host(whole, name, changes=(change("openssl"),))
    return whole


def failed(
    whole: Plan, state: RolloutState, host: str, *suspects: str, phase: HostPhase = HostPhase.FAILED
) -> RolloutState:
    state = host_started(state, host, HostPhase.PATCHING, "", NOW)
    return host_finished(state, host, phase, "it hurt", NOW, suspects=suspects)


def acted(
    whole: Plan, state: RolloutState, now: datetime = LATER
) -> tuple[RolloutState, list[tuple[ActionKind, str]]]:
    """One look, carried out."""
    actions = next_actions(whole, state, now)
    return carried_out(state, actions, now), [(one.kind, one.host) for one in actions]


def test_the_suspect_is_held_back_and_the_rest_goes_on() -> None:
    whole = mixed()
    state = failed(whole, start(whole, "r"), "a", "nginx")
    state, done = acted(whole, state)
    assert done == [
        (ActionKind.ROLL_BACK_HOST, "a"),
        (ActionKind.HOLD_BACK, ""),
        (ActionKind.LEAVE_OUT, "c"),
    ]
    assert state.held_back == (HeldBack("nginx", VERSION, "failed on a: it hurt"),)
    assert state.status is RolloutStatus.RUNNING
    assert list(left_out(whole, state)) == ["c"]
    reasons = {host.host: host.reason for host in state.hosts}
    assert reasons["c"] == f"nginx {VERSION} is held back: failed on a: it hurt"

    state = host_finished(state, "a", HostPhase.ROLLED_BACK, "", LATER)
    state, done = acted(whole, state)
    assert done == [(ActionKind.START_HOST, "b")]
    state = host_finished(state, "b", HostPhase.DONE, "", LATER)
    state, done = acted(whole, state)
    assert done == [(ActionKind.CLOSE_WAVE, "")]


def test_more_suspects_than_the_plan_allows_are_one_cause_that_nobody_named() -> None:
    whole = mixed()
    state = failed(whole, start(whole, "r"), "a", "nginx", "openssl")
    state, done = acted(whole, state)
    assert done == [(ActionKind.ROLL_BACK_HOST, "a"), (ActionKind.PAUSE, "")]
    assert state.held_back == ()


def test_a_failure_without_a_suspect_or_without_its_way_back_counts_as_ever() -> None:
    for whole, suspect, phase in (
        (mixed(), "other", HostPhase.FAILED),
        (mixed(), "nginx", HostPhase.LOST),
        (mixed(rollback_on_failure=False), "nginx", HostPhase.FAILED),
    ):
        state, done = acted(whole, failed(whole, start(whole, "r"), "a", suspect, phase=phase))
        assert done[-1] == (ActionKind.PAUSE, "")
        assert state.held_back == ()


def test_a_plan_from_before_this_was_possible_keeps_its_meaning() -> None:
    whole = plan([wave(0, ["a", "b"], parallel=1)])
    assert whole.max_held_back is UNSET
    _, done = acted(whole, failed(whole, start(whole, "r"), "a", "nginx"))
    assert done == [(ActionKind.ROLL_BACK_HOST, "a"), (ActionKind.PAUSE, "")]


def test_a_wave_that_verified_nothing_lets_no_other_start() -> None:
    whole = plan([wave(0, ["a"]), wave(1, ["b"])], max_held_back=1)
    whole = with_host(whole, "b", changes=(change("openssl"),))
    state = failed(whole, start(whole, "r"), "a", "nginx")
    state, _ = acted(whole, state)
    state = host_finished(state, "a", HostPhase.ROLLED_BACK, "", LATER)
    (stop,) = next_actions(whole, state, LATER)
    assert stop.kind is ActionKind.PAUSE
    assert "none of its hosts is verified after a package was held back" in stop.reason
    resumed = apply_signal(whole, pause(state, stop.reason), Signal.RESUME, LATER)
    assert next_actions(whole, resumed, LATER)[0].kind is ActionKind.CLOSE_WAVE


def test_where_all_would_get_it_the_rollout_comes_to_its_end() -> None:
    whole = plan([wave(0, ["a"]), wave(1, ["b", "c"])], max_held_back=1)
    state = failed(whole, start(whole, "r"), "a", "nginx")
    state, _ = acted(whole, state)
    state = host_finished(state, "a", HostPhase.ROLLED_BACK, "", LATER)
    for now, kind in (
        (LATER, ActionKind.CLOSE_WAVE),
        (LATER + timedelta(hours=1), ActionKind.CLOSE_WAVE),
        (LATER + timedelta(hours=1), ActionKind.FINISH),
    ):
        state, done = acted(whole, state, now)
        assert done == [(kind, "")]


def test_what_fails_while_the_rollout_is_paused_is_held_back_as_well() -> None:
    whole = mixed()
    state = host_started(start(whole, "r"), "a", HostPhase.PATCHING, "", NOW)
    state = pause(state, "lunch")
    state = host_finished(state, "a", HostPhase.FAILED, "it hurt", NOW, suspects=["nginx"])
    state, done = acted(whole, state)
    assert (ActionKind.LEAVE_OUT, "c") in done
