"""Hosts that were away are tried again while the rollout runs, and caught up later."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from suture.core.evidence import Verdict
from suture.core.planning.gates import Alerts, Gate
from suture.core.planning.plan import CatchUp, HeldBack, Plan
from suture.core.planning.windows import Window
from suture.core.rollout.progress import next_actions
from suture.core.rollout.signals import apply_signal
from suture.core.rollout.state import (
    ActionKind,
    GateState,
    HostPhase,
    NextAction,
    RolloutState,
    Signal,
)
from suture.core.rollout.transitions import (
    RefusedError,
    carried_out,
    catch_up,
    close_wave,
    finish,
    host_finished,
    host_started,
    pause,
    start,
)
from tests.unit.core.builders import NOW, plan, timed, wave

TWICE = CatchUp(2, 60.0)
DUE = NOW + timedelta(seconds=60)


def ended(state: RolloutState, host: str, phase: HostPhase, *, away: bool = False) -> RolloutState:
    state = host_started(state, host, HostPhase.PATCHING, "", NOW)
    return host_finished(state, host, phase, "so it ended", NOW, away=away)


def one_away() -> tuple[Plan, RolloutState]:
    """b of the first wave did not answer; the wave is closed and soaks for an hour."""
    whole = plan([wave(0, ["a", "b", "c"], soak_s=3600.0), wave(1, ["d"])], catch_up=TWICE)
    state = ended(start(whole, "r"), "a", HostPhase.DONE)
    state = ended(ended(state, "b", HostPhase.SKIPPED, away=True), "c", HostPhase.DONE)
    return whole, close_wave(state, 0, NOW)


def started(actions: tuple[NextAction, ...]) -> list[str]:
    return [action.host for action in actions if action.kind is ActionKind.START_HOST]


def test_a_host_that_was_away_is_tried_again_in_its_time_and_so_often() -> None:
    whole, state = one_away()
    assert started(next_actions(whole, state, DUE - timedelta(seconds=1))) == []
    actions = next_actions(whole, state, DUE)
    assert started(actions) == ["b"]
    state = carried_out(state, actions, DUE)
    assert [host.attempt for host in state.hosts] == [0, 1, 0, 0]
    state = host_finished(state, "b", HostPhase.SKIPPED, "", DUE, away=True)
    assert started(next_actions(whole, state, DUE + timedelta(minutes=30))) == []


def test_a_host_that_was_skipped_for_another_reason_is_not() -> None:
    whole, state = one_away()
    hosts = tuple(replace(host, away=False) for host in state.hosts)
    state = replace(state, hosts=hosts)
    assert started(next_actions(whole, state, DUE)) == []
    with pytest.raises(RefusedError, match="another reason than being away"):
        host_started(state, "b", HostPhase.PATCHING, "", DUE)


def test_it_waits_for_its_window_and_stays_out_of_a_paused_rollout() -> None:
    whole, state = one_away()
    assert started(next_actions(whole, pause(state, "lunch"), DUE)) == []
    night = Window(name="night", rule="FREQ=DAILY", start="22:00", duration="1h")
    assert started(next_actions(timed(whole, [night]), state, DUE)) == []
    held = replace(state, held_back=(HeldBack("nginx", "1.22.1-9+deb12u1", "why"),))
    assert started(next_actions(whole, held, DUE)) == []


def test_a_wave_of_which_much_is_away_waits_for_their_next_try() -> None:
    whole = plan([wave(0, ["a", "b"])], catch_up=TWICE)
    state = start(whole, "r")
    for host in ("a", "b"):
        state = ended(state, host, HostPhase.SKIPPED, away=True)
    (wait,) = next_actions(whole, state, NOW)
    assert (wait.kind, wait.until) == (ActionKind.WAIT, DUE)
    state = carried_out(state, next_actions(whole, state, DUE), DUE)
    for host in ("a", "b"):
        state = host_finished(state, host, HostPhase.SKIPPED, "", DUE, away=True)
    (stop,) = next_actions(whole, state, DUE + timedelta(hours=1))
    assert stop.kind is ActionKind.PAUSE


def test_a_rollout_does_not_wait_for_them_at_its_end() -> None:
    whole, state = one_away()
    later = NOW + timedelta(hours=2)
    state = replace(state, hosts=tuple(replace(h, away=h.away or False) for h in state.hosts))
    state = carried_out(state, next_actions(whole, state, DUE), DUE)
    state = host_finished(state, "b", HostPhase.SKIPPED, "", DUE, away=True)
    state = carried_out(state, next_actions(whole, state, later), later)
    state = host_finished(state, "d", HostPhase.DONE, "", later)
    state = carried_out(state, next_actions(whole, state, later), later)
    assert next_actions(whole, state, later)[0].kind is ActionKind.FINISH


def test_catching_up_later_is_for_those_hosts_alone_and_keeps_what_was_proved() -> None:
    gate = Gate(30.0, alerts=Alerts("http://127.0.0.1:9093"))
    waves = [wave(0, ["a"], gate=gate), wave(1, ["b", "c"], gate=gate), wave(2, ["d", "e"])]
    whole = plan(waves)
    before = start(whole, "r")
    for host in ("a", "b", "d"):
        before = ended(before, host, HostPhase.DONE)
    for host in ("c", "e"):
        before = ended(before, host, HostPhase.SKIPPED, away=True)
    for index in range(3):
        before = close_wave(before, index, NOW)
    gates = tuple(GateState(index, 3, 3, NOW, Verdict.PASS) for index in range(2))
    before = finish(replace(before, gates=gates))

    later = NOW + timedelta(days=1)
    state = catch_up(whole, before, "r2", ["c", "e"], by="kim", now=later)
    assert [wave.index for wave in state.closed] == [0]
    actions = next_actions(whole, state, later)
    assert started(actions) == ["c"]
    state = carried_out(state, actions, later)
    state = host_finished(state, "c", HostPhase.DONE, "", later)
    for kind in (ActionKind.CLOSE_WAVE, ActionKind.WAIT):
        (action,) = next_actions(whole, state, later)
        assert action.kind is kind
        state = carried_out(state, [action], later)
    assert started(next_actions(whole, state, later + timedelta(minutes=1))) == ["e"]
    paused = apply_signal(whole, state, Signal.PAUSE, later)
    assert paused.hosts == state.hosts
