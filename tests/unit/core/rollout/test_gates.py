"""When a wave is looked at, and that nothing follows it before its gate is open."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from suture.core.evidence import Verdict
from suture.core.planning.gates import Alerts, Canary, Gate, Source
from suture.core.planning.plan import OnFailure, Plan
from suture.core.rollout.gates import MOST_HOSTS, sides
from suture.core.rollout.progress import next_actions
from suture.core.rollout.signals import apply_signal
from suture.core.rollout.state import ActionKind, HostPhase, RolloutState, RolloutStatus, Signal
from suture.core.rollout.transitions import (
    carried_out,
    close_wave,
    host_finished,
    host_started,
    look_done,
    start,
)
from tests.unit.core.builders import NOW, plan, wave, with_host

CANARY = Gate(30.0, Canary(Source.PROC, 0.25))
ALERTS = Gate(30.0, alerts=Alerts("http://127.0.0.1:9093"))


def gated(gate: Gate, **fields: object) -> Plan:
    first = wave(0, ["a"], soak_s=60.0, gate=gate)
    return plan([replace(first, **fields), wave(1, ["b", "c"])])


def acted(whole: Plan, state: RolloutState, now: datetime) -> tuple[RolloutState, ActionKind]:
    (action,) = next_actions(whole, state, now)
    return carried_out(state, [action], now), action.kind


def soaking(whole: Plan, state: RolloutState, now: datetime) -> RolloutState:
    state = host_started(state, "a", HostPhase.PATCHING, "", now)
    return close_wave(host_finished(state, "a", HostPhase.DONE, "", now), 0, now)


def test_a_wave_starts_after_the_looks_before_it_and_the_next_after_those_behind() -> None:
    whole, now = gated(CANARY), NOW
    state = start(whole, "r")
    for number in range(9):
        state, kind = acted(whole, state, now)
        assert kind is ActionKind.LOOK
        (wait,) = next_actions(whole, state, now)
        assert (wait.kind, wait.until) == (ActionKind.WAIT, None)
        state = look_done(state, 0, number, None, "")
        if number < 8:
            (wait,) = next_actions(whole, state, now)
            assert wait.until == now + timedelta(seconds=30)
        now += timedelta(seconds=30)
    assert next_actions(whole, state, now)[0].kind is ActionKind.START_HOST

    state = soaking(whole, state, now)
    for number in range(9, 18):
        state, kind = acted(whole, state, now)
        assert kind is ActionKind.LOOK
        state = look_done(state, 0, number, Verdict.PASS if number == 17 else None, "")
        now += timedelta(seconds=30)
    assert [one.host for one in next_actions(whole, state, now)] == ["b", "c"]


def test_a_soak_goes_on_until_all_looks_are_taken() -> None:
    whole = gated(ALERTS)
    state = soaking(whole, start(whole, "r"), NOW)
    state, kind = acted(whole, state, NOW + timedelta(seconds=50))
    assert kind is ActionKind.LOOK
    state = look_done(state, 0, 0, None, "")
    (wait,) = next_actions(whole, state, NOW + timedelta(seconds=70))
    assert wait.until == NOW + timedelta(seconds=80)
    (wait,) = next_actions(whole, state, NOW + timedelta(seconds=55))
    assert (wait.reason, wait.until) == (
        "ring-0 soaks before ring-1",
        NOW + timedelta(seconds=60),
    )


@pytest.mark.parametrize(
    ("verdict", "action", "take_back"),
    [
        (Verdict.FAIL, OnFailure.ROLL_BACK_WAVE, (0,)),
        (Verdict.FAIL, OnFailure.ROLL_BACK_HOST, ()),
        (Verdict.INCONCLUSIVE, OnFailure.ROLL_BACK_WAVE, ()),
    ],
)
def test_a_gate_that_does_not_pass_pauses(
    verdict: Verdict, action: OnFailure, take_back: tuple[int, ...]
) -> None:
    whole = gated(ALERTS, on_failure=action)
    state = soaking(whole, start(whole, "r"), NOW)
    state, _ = acted(whole, state, NOW)
    state = look_done(state, 0, 0, verdict, "so it is")
    (stop,) = next_actions(whole, state, NOW)
    assert (stop.kind, stop.take_back) == (ActionKind.PAUSE, take_back)
    assert stop.reason.startswith(f"the gate of ring-0 is {verdict.value}: so it is")
    state = carried_out(state, [stop], NOW)
    assert state.status is RolloutStatus.PAUSED
    later = NOW + timedelta(hours=1)
    resumed = apply_signal(whole, state, Signal.RESUME, later)
    assert [one.host for one in next_actions(whole, resumed, later)] == ["b", "c"]


def test_a_look_that_is_reported_late_or_twice_changes_nothing() -> None:
    whole = gated(ALERTS)
    state = soaking(whole, start(whole, "r"), NOW)
    assert look_done(state, 0, 0, Verdict.PASS, "") is state
    state, _ = acted(whole, state, NOW)
    done = look_done(state, 0, 0, None, "")
    assert look_done(done, 0, 0, Verdict.PASS, "") is done
    assert look_done(state, 0, 5, Verdict.PASS, "") is state


def test_hosts_like_those_of_the_wave_are_the_ones_to_compare_with() -> None:
    later = [f"h{n}" for n in range(50)]
    whole = plan([wave(0, ["a"]), wave(1, later)])
    for name in later[:45]:
        whole = with_host(whole, name, class_id="other")
    patched, controls = sides(whole, whole.waves[0])
    assert patched == ("a",)
    assert controls[:5] == tuple(later[45:])
    assert len(controls) == MOST_HOSTS
