"""Ways back that a person asks for: order, limits, what stops them, and what goes back."""

from __future__ import annotations

import pytest
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from suture.core.documents import decode, encode
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.planning.plan import Plan
from suture.core.rollout.outcomes import after_way_back
from suture.core.rollout.progress import next_actions
from suture.core.rollout.state import (
    ActionKind,
    HostPhase,
    HostState,
    NextAction,
    RolloutState,
    RolloutStatus,
)
from suture.core.rollout.transitions import (
    RefusedError,
    ask_back,
    carried_out,
    finish,
    host_ended,
    host_finished,
    host_started,
    start,
)
from suture.core.rollout.ways_back import (
    AskedBack,
    Refusal,
    WayBack,
    in_order,
    keeping_data,
    narrowed,
    of_waves,
)
from tests.unit.core.builders import NOW, change, host_plan, plan, wave

WHOLE = plan(
    [wave(0, ["a"]), wave(1, ["b", "c", "d"], parallel=2)],
    services={"web": (["b", "c", "d"], 1)},
)


def patched(whole: Plan) -> RolloutState:
    """Every host is patched, the rollout is over."""
    state = start(whole, "r")
    for host in (one.host for one in whole.hosts):
        state = host_started(state, host, HostPhase.PATCHING, "", NOW)
        state = host_finished(state, host, HostPhase.DONE, "", NOW)
    return finish(state)


def asked(state: RolloutState, *hosts: str, how: WayBack | None = None) -> RolloutState:
    return ask_back(state, [AskedBack(host, how or WayBack(), "kim: slow") for host in hosts])


def going(actions: tuple[NextAction, ...]) -> list[str]:
    return [one.host for one in actions if one.kind is ActionKind.ROLL_BACK_HOST]


def back(state: RolloutState, *hosts: str, to: HostPhase = HostPhase.ROLLED_BACK) -> RolloutState:
    for host in hosts:
        state = host_finished(state, host, to, "", NOW)
    return state


def test_waves_go_back_one_after_the_other_within_the_limits_of_services() -> None:
    state = asked(patched(WHOLE), "a", "b", "c", "d")
    order = []
    while actions := next_actions(WHOLE, state, NOW):
        hosts = going(actions)
        order.append(hosts)
        state = back(carried_out(state, actions, NOW), *hosts)
    assert order == [["a"], ["b"], ["c"], ["d"]]
    assert {host.phase for host in state.hosts} == {HostPhase.ROLLED_BACK}


def test_what_waits_says_why() -> None:
    state = asked(patched(WHOLE), "a", "b")
    *_, wait = next_actions(WHOLE, state, NOW)
    assert wait.reason == "1 wait to go back: ring-0 goes back first"
    state = asked(patched(WHOLE), "b", "c")
    *_, wait = next_actions(WHOLE, state, NOW)
    assert wait.reason == "1 wait to go back: service web: b out, 1 may be"


def test_a_host_that_is_out_already_takes_no_other_place() -> None:
    state = start(WHOLE, "r")
    state = host_started(state, "b", HostPhase.PATCHING, "", NOW)
    state = finish(host_finished(state, "b", HostPhase.LOST, "", NOW))
    assert going(next_actions(WHOLE, asked(state, "b"), NOW)) == ["b"]


def test_a_way_back_that_fails_leaves_those_that_wait_alone() -> None:
    state = asked(patched(WHOLE), "b", "c", "d")
    state = carried_out(state, next_actions(WHOLE, state, NOW), NOW)
    state = back(state, "b", to=HostPhase.ROLLBACK_FAILED)
    assert state.asked == ()
    assert next_actions(WHOLE, state, NOW) == ()
    again = asked(state, "b")
    again = carried_out(again, next_actions(WHOLE, again, NOW), NOW)
    assert [(h.phase, h.attempt) for h in again.hosts if h.host == "b"] == [
        (HostPhase.ROLLING_BACK, 1)
    ]


def _of(state: RolloutState, name: str) -> HostState:
    return next(one for one in state.hosts if one.host == name)


def _sent(state: RolloutState, how: WayBack) -> RolloutState:
    """Host a, asked for and on its way."""
    state = asked(state, "a", how=how)
    return carried_out(state, next_actions(WHOLE, state, NOW), NOW)


@pytest.mark.parametrize("how", [UNSET, WayBack(("nginx",))], ids=["patched", "back in part"])
def test_a_host_whose_way_back_was_refused_stands_as_before_and_may_be_asked_again(
    how: WayBack | UnsetType,
) -> None:
    state = back(_sent(patched(WHOLE), how), "a") if how else patched(WHOLE)
    before = _of(state, "a")
    state = _sent(state, WayBack())
    refused = host_ended(_of(state, "a"), before.phase, "refused", NOW, refused=True)
    assert (refused.phase, refused.way_back) == (before.phase, how)
    hosts = tuple(refused if one.host == "a" else one for one in state.hosts)
    again = _of(_sent(replace(state, hosts=hosts), WayBack()), "a")
    assert (again.phase, again.attempt) == (HostPhase.ROLLING_BACK, refused.attempt + 1)


def test_only_a_way_back_can_be_refused() -> None:
    patching = host_started(start(WHOLE, "r"), "a", HostPhase.PATCHING, "", NOW)
    with pytest.raises(RefusedError):
        host_ended(_of(patching, "a"), HostPhase.WAITING, "refused", NOW, refused=True)


def test_only_what_was_patched_goes_back_and_only_once() -> None:
    with pytest.raises(RefusedError, match="a is waiting"):
        asked(start(WHOLE, "r"), "a")
    state = asked(patched(WHOLE), "a")
    state = back(carried_out(state, next_actions(WHOLE, state, NOW), NOW), "a")
    with pytest.raises(RefusedError, match="a is rolled-back"):
        asked(state, "a")


def test_after_a_single_package_the_rest_may_follow() -> None:
    state = asked(patched(WHOLE), "a", how=WayBack(("nginx",)))
    state = back(carried_out(state, next_actions(WHOLE, state, NOW), NOW), "a")
    state = asked(state, "a")
    state = carried_out(state, next_actions(WHOLE, state, NOW), NOW)
    host = next(one for one in state.hosts if one.host == "a")
    assert (host.phase, host.attempt, host.way_back) == (HostPhase.ROLLING_BACK, 1, WayBack())


def test_ways_back_are_given_while_paused_or_aborted_as_well() -> None:
    for status in (RolloutStatus.PAUSED, RolloutStatus.ABORTED):
        state = replace(asked(patched(WHOLE), "a"), status=status)
        assert going(next_actions(WHOLE, state, NOW)) == ["a"]


def test_states_from_before_there_was_a_choice_are_read() -> None:
    state = start(WHOLE, "r")
    old = encode(state).replace(b',"asked":[]', b"")
    assert decode(old, RolloutState) == state
    assert b"way_back" not in old
    assert state.hosts[0].way_back is UNSET


def test_one_source_package_of_a_plan() -> None:
    whole = host_plan(
        "a", changes=(change("nginx"), change("nginx-common", source="nginx"), change("zlib"))
    )
    part = narrowed(whole, ["nginx"])
    assert [one.package for one in part.changes] == ["nginx", "nginx-common"]
    assert narrowed(whole, ()) == whole


def test_hosts_by_wave_and_ring() -> None:
    assert of_waves(WHOLE, [1], []) == ("a",)
    assert of_waves(WHOLE, [], ["ring-1"]) == ("b", "c", "d")
    assert of_waves(WHOLE, [2], ["ring-1"]) == ("b", "c", "d")
    assert of_waves(WHOLE, [1], ["ring-1"]) == ()
    assert of_waves(WHOLE, [], []) == ("a", "b", "c", "d")
    assert in_order(WHOLE, ["d", "a"]) == ("a", "d")
    for waves, rings in (([3], []), ([], ["broad"])):
        with pytest.raises(KeyError):
            of_waves(WHOLE, waves, rings)


def test_what_a_person_accepts() -> None:
    assert WayBack(keep_changed=True).accepted == (Refusal.CHANGED_CONFIGURATION,)
    assert WayBack(accept_changed_data=True).accepted == (Refusal.CHANGED_DATA,)


def test_databases_keep_data() -> None:
    assert keeping_data(["nginx", "postgresql-15", "mariadb"]) == ("mariadb", "postgresql-15")


def test_what_went_back_in_part_says_so() -> None:
    checked = StepReport("a", Step.VERIFY_ROLL_BACK, Verdict.PASS, NOW, 1.0)
    phase, reason = after_way_back([checked], WayBack(("nginx",)))
    assert phase is HostPhase.ROLLED_BACK
    assert reason == "nginx as it was before, verified; the rest stays patched"


def test_an_aborted_rollout_ends_though_somebody_waits_to_go_back() -> None:
    state = host_started(start(WHOLE, "r"), "b", HostPhase.PATCHING, "", NOW)
    state = host_finished(state, "b", HostPhase.LOST, "", NOW)
    state = host_started(state, "c", HostPhase.PATCHING, "", NOW)
    state = asked(host_finished(state, "c", HostPhase.DONE, "", NOW), "c")
    (last,) = next_actions(WHOLE, replace(state, status=RolloutStatus.ABORTED), NOW)
    assert last.kind is ActionKind.FINISH
