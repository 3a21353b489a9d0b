"""Packages are brought to hosts ahead of their start, and that counts for nothing else."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from suture.core.documents import decode, encode
from suture.core.planning.plan import Plan
from suture.core.planning.windows import Window
from suture.core.rollout.limits import Elsewhere
from suture.core.rollout.progress import next_actions
from suture.core.rollout.signals import apply_signal
from suture.core.rollout.state import (
    ActionKind,
    HostPhase,
    HostState,
    NextAction,
    RolloutState,
    RolloutStatus,
    Signal,
)
from suture.core.rollout.transitions import (
    RefusedError,
    carried_out,
    close_wave,
    host_ended,
    host_finished,
    host_started,
    start,
)
from tests.unit.core.builders import NOW, plan, timed, wave

HOUR = timedelta(hours=1)
AHEAD = 6 * 3600.0
LATE = Window(name="late", rule="FREQ=DAILY", start=f"{NOW + 5 * HOUR:%H:%M}", duration="2h")


def of(kind: ActionKind, actions: Sequence[NextAction]) -> list[str]:
    return [action.host for action in actions if action.kind is kind]


def fetched(state: RolloutState, host: str, *, well: bool = True) -> RolloutState:
    hosts = tuple(
        host_ended(one, HostPhase.WAITING, "", NOW, fetched=well) if one.host == host else one
        for one in state.hosts
    )
    return replace(state, hosts=hosts)


def ticked(whole: Plan, state: RolloutState) -> RolloutState:
    return carried_out(state, next_actions(whole, state, NOW), NOW)


def in_window() -> Plan:
    whole = plan([wave(0, ["a", "b", "c"], parallel=2)], predownload_s=AHEAD)
    return timed(whole, [LATE])


def test_hosts_fetch_before_their_window_opens_as_many_as_may_be_at_work() -> None:
    whole = in_window()
    state = start(whole, "r")
    assert of(ActionKind.FETCH_HOST, next_actions(whole, state, NOW - 2 * HOUR)) == []
    actions = next_actions(whole, state, NOW)
    assert of(ActionKind.FETCH_HOST, actions) == ["a", "b"]
    assert of(ActionKind.START_HOST, actions) == []
    state = fetched(carried_out(state, actions, NOW), "a")
    assert of(ActionKind.FETCH_HOST, next_actions(whole, state, NOW)) == ["c"]


def test_nothing_is_fetched_where_the_plan_does_not_say_so() -> None:
    whole = replace(in_window(), predownload_s=UNSET)
    assert of(ActionKind.FETCH_HOST, next_actions(whole, start(whole, "r"), NOW)) == []
    assert b"predownload" not in encode(whole)
    assert decode(b'{"host": "a"}', HostState).fetched is UNSET


def test_without_windows_those_of_the_next_waves_fetch_by_the_soaks_before_them() -> None:
    waves = [wave(0, ["a"], soak_s=3600.0), wave(1, ["b"], soak_s=AHEAD), wave(2, ["c"])]
    whole = plan(waves, predownload_s=AHEAD)
    state = ticked(whole, start(whole, "r"))
    actions = next_actions(whole, state, NOW)
    assert of(ActionKind.FETCH_HOST, actions) == ["b"]
    assert actions[-1].kind is ActionKind.WAIT
    state = host_finished(carried_out(state, actions, NOW), "a", HostPhase.DONE, "", NOW)
    state = close_wave(fetched(state, "b"), 0, NOW)
    assert of(ActionKind.FETCH_HOST, next_actions(whole, state, NOW)) == []
    assert of(ActionKind.FETCH_HOST, next_actions(whole, state, NOW + HOUR / 2)) == []
    assert of(ActionKind.START_HOST, next_actions(whole, state, NOW + HOUR)) == ["b"]


def test_a_start_waits_for_the_end_of_the_fetch_and_comes_after_a_failed_one() -> None:
    whole = in_window()
    state = ticked(whole, start(whole, "r"))
    at = NOW + 5 * HOUR
    assert of(ActionKind.START_HOST, next_actions(whole, state, at)) == ["c"]
    state = carried_out(state, next_actions(whole, state, at), at)
    state = host_finished(state, "c", HostPhase.DONE, "", at)
    (wait,) = next_actions(whole, state, at)
    assert (wait.kind, wait.reason) == (ActionKind.WAIT, "2 still fetch their packages")
    state = fetched(state, "a", well=False)
    assert of(ActionKind.START_HOST, next_actions(whole, state, at)) == ["a"]


def test_a_fetch_takes_no_place_in_a_service_and_does_not_hold_up_the_next_of_a_wave() -> None:
    whole = plan([wave(0, ["a", "b"], wait_s=60.0)], {"web": (["a", "b"], 1)}, predownload_s=AHEAD)
    state = host_started(start(whole, "r"), "b", HostPhase.FETCHING, "", NOW)
    assert of(ActionKind.START_HOST, next_actions(whole, state, NOW)) == ["a"]
    assert of(ActionKind.START_HOST, next_actions(whole, fetched(state, "b"), NOW)) == ["a"]


@pytest.mark.parametrize("signal", [Signal.PAUSE, Signal.ABORT])
def test_none_is_begun_after_a_person_said_stop(signal: Signal) -> None:
    whole = in_window()
    state = apply_signal(whole, ticked(whole, start(whole, "r")), signal, NOW)
    state = fetched(state, "a")
    actions = next_actions(whole, state, NOW)
    assert [action.kind for action in actions] == [ActionKind.WAIT]
    with pytest.raises(RefusedError, match="c is not started"):
        host_started(state, "c", HostPhase.FETCHING, "", NOW)
    ended = ticked(whole, fetched(state, "b"))
    assert (ended.status is RolloutStatus.ABORTED) is (signal is Signal.ABORT)


def test_half_of_the_fleets_places_and_of_a_jump_hosts_are_for_fetches() -> None:
    names = ["a", "b", "c", "d"]
    whole = timed(plan([wave(0, names, parallel=9)], predownload_s=AHEAD), [LATE])
    state = start(whole, "r")
    some = next_actions(whole, state, NOW, Elsewhere(most=6))
    assert of(ActionKind.FETCH_HOST, some) == ["a", "b", "c"]
    fewer = next_actions(whole, state, NOW, Elsewhere(fetching=(("x", ""), ("y", "")), most=6))
    assert of(ActionKind.FETCH_HOST, fewer) == ["a"]
    jumps = dict.fromkeys(names, "jump")
    whole = plan(
        [wave(0, names, parallel=9)], jumps=jumps, jump_limits=(("jump", 4),), predownload_s=AHEAD
    )
    behind = next_actions(timed(whole, [LATE]), state, NOW)
    assert of(ActionKind.FETCH_HOST, behind) == ["a", "b"]


def test_a_host_is_fetched_for_once() -> None:
    whole = in_window()
    state = fetched(ticked(whole, start(whole, "r")), "a", well=False)
    assert of(ActionKind.FETCH_HOST, next_actions(whole, state, NOW)) == ["c"]
    with pytest.raises(RefusedError, match="fetched for already"):
        host_started(state, "a", HostPhase.FETCHING, "", NOW)
