"""What other rollouts are at work on takes places here."""

from datetime import datetime, timedelta
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.core.planning.plan import Plan
from suture.core.rollout import transitions
from suture.core.rollout.limits import MINUTE, Elsewhere
from suture.core.rollout.progress import next_actions
from suture.core.rollout.state import ActionKind, HostPhase, NextAction
from tests.unit.core import builders
from tests.unit.core.builders import NOW

JUMP = "ops@bastion"


def _next(elsewhere: Elsewhere) -> tuple[NextAction, ...]:
    plan = builders.plan(
        [builders.wave(0, ["web1", "web2", "web3"])],
        services={"shop": (["web1", "web9"], 1)},
        jumps={"web2": JUMP},
        jump_limits=((JUMP, 1),),
    )
    return next_actions(plan, transitions.start(plan, "r1"), NOW, elsewhere)


def _started(elsewhere: Elsewhere) -> list[str]:
    return [one.host for one in _next(elsewhere) if one.kind is ActionKind.START_HOST]


def test_without_others_all_start() -> None:
    assert _started(Elsewhere()) == ["web1", "web2", "web3"]


def test_the_fleets_limit_holds_over_rollouts() -> None:
    assert _started(Elsewhere((("db1", ""),), 3)) == ["web1", "web2"]
    (wait,) = _next(Elsewhere((("db1", ""), ("db2", "")), 2))
    assert wait.kind is ActionKind.WAIT
    assert wait.elsewhere
    assert wait.reason == "2 hosts of other rollouts are at work, 2 may be in all"


def test_a_member_of_the_service_that_is_out_elsewhere_is_out() -> None:
    assert _started(Elsewhere((("web9", ""),))) == ["web2", "web3"]


def test_connections_of_a_jump_host_are_shared() -> None:
    assert _started(Elsewhere((("db1", JUMP),))) == ["web1", "web3"]


def test_what_others_will_free_is_waited_for_and_no_reason_to_pause() -> None:
    plan = builders.plan([builders.wave(0, ["web1"])], services={"shop": (["web1", "web9"], 1)})
    state = transitions.start(plan, "r1")
    (wait,) = next_actions(plan, state, NOW, Elsewhere((("web9", ""),)))
    assert (wait.kind, wait.elsewhere) == (ActionKind.WAIT, True)
    assert "service shop" in wait.reason


def _paced(most: int) -> Plan:
    waves = [builders.wave(0, ["web1", "web2", "web3"]), builders.wave(1, ["web4"])]
    return replace(builders.plan(waves), starts_per_minute=most)


def _ago(*seconds: float) -> Elsewhere:
    return Elsewhere(started=tuple(NOW - timedelta(seconds=one) for one in seconds))


def test_starts_of_the_last_minute_count_whoever_made_them() -> None:
    plan = _paced(3)
    state = transitions.start(plan, "r1")
    first = next_actions(plan, state, NOW, _ago(70, 50, 10))
    assert [one.host for one in first] == ["web1"]
    state = transitions.carried_out(state, first, NOW)
    (wait,) = next_actions(plan, state, NOW, _ago(70, 50, 10).after(first, NOW))
    assert (wait.kind, wait.until) == (ActionKind.WAIT, NOW + timedelta(seconds=10))
    assert wait.reason == (
        "3 hosts were started within a minute, 3 may be; the next at 2026-03-02 12:00:10 UTC"
    )


def test_a_clock_that_was_far_ahead_is_not_waited_for() -> None:
    plan = _paced(1)
    state = transitions.start(plan, "r1")
    (start,) = next_actions(plan, state, NOW, _ago(-3600))
    assert start.kind is ActionKind.START_HOST
    (wait,) = next_actions(plan, state, NOW, _ago(-5))
    assert wait.until == NOW + timedelta(seconds=65)


def test_the_rate_holds_up_neither_ends_nor_ways_back() -> None:
    plan = _paced(1)
    state = transitions.start(plan, "r1")
    for host in ("web1", "web2", "web3"):
        state = transitions.host_started(state, host, HostPhase.PATCHING, "", NOW)
        state = transitions.host_finished(state, host, HostPhase.DONE, "", NOW)
    (close,) = next_actions(plan, state, NOW, _ago(0, 0, 0))
    assert close.kind is ActionKind.CLOSE_WAVE
    state = transitions.host_finished(state, "web1", HostPhase.FAILED, "so", NOW)
    assert next_actions(plan, state, NOW, _ago(0))[0].kind is ActionKind.ROLL_BACK_HOST


class _Working(NamedTuple):
    """What happens next: seconds pass, or this one of two rollouts is looked at."""

    seconds: float
    rollout: int


@given(
    st.integers(1, 4),
    st.lists(st.builds(_Working, st.floats(0, 90), st.integers(0, 1)), max_size=30),
)
def test_in_no_minute_more_are_started_by_two_rollouts(most: int, story: list[_Working]) -> None:
    plans = [
        replace(
            builders.plan([builders.wave(0, [f"{name}{n}" for n in range(8)], parallel=8)]),
            starts_per_minute=most,
        )
        for name in ("a", "b")
    ]
    states = [transitions.start(plan, f"r{n}") for n, plan in enumerate(plans)]
    now, fleet, started = NOW, Elsewhere(), list[datetime]()
    for seconds, which in story:
        now += timedelta(seconds=seconds)
        actions = next_actions(plans[which], states[which], now, fleet)
        begun = [one for one in actions if one.kind is ActionKind.START_HOST]
        waits = [one for one in actions if one.kind is ActionKind.WAIT and "may be" in one.reason]
        assert all(one.until and now < one.until <= now + MINUTE for one in waits)
        started += [now] * len(begun)
        fleet = fleet.after(actions, now)
        states[which] = transitions.carried_out(states[which], actions, now)
    for at in started:
        assert sum(at <= other < at + MINUTE for other in started) <= most
