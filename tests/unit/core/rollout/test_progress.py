"""The rollout's decisions, case by case; ``test_rollout_machine`` tries them at random."""

from datetime import timedelta

from msgspec.structs import replace

from suture.core.planning.plan import LeftOut, Plan
from suture.core.rollout.progress import next_actions
from suture.core.rollout.signals import apply_signal
from suture.core.rollout.state import (
    ActionKind,
    HostPhase,
    NextAction,
    RolloutState,
    RolloutStatus,
    Signal,
)
from suture.core.rollout.transitions import (
    carried_out,
    close_wave,
    finish,
    host_finished,
    host_started,
    pause,
    start,
)
from tests.unit.core.builders import NOW, plan, wave


def kinds(actions: tuple[NextAction, ...]) -> list[ActionKind]:
    return [action.kind for action in actions]


def started(actions: tuple[NextAction, ...]) -> list[str]:
    return [action.host for action in actions if action.kind is ActionKind.START_HOST]


def ended(state: RolloutState, host: str, phase: HostPhase, reason: str = "") -> RolloutState:
    """``host`` went to work and came to an end; a way back is walked as well."""
    state = host_started(state, host, HostPhase.PATCHING, "", NOW)
    if phase in (HostPhase.ROLLED_BACK, HostPhase.ROLLBACK_FAILED):
        state = host_finished(state, host, HostPhase.FAILED, reason, NOW)
        state = host_started(state, host, HostPhase.ROLLING_BACK, reason, NOW)
    return host_finished(state, host, phase, reason, NOW)


def test_a_wave_starts_as_many_as_may_be_at_work() -> None:
    whole = plan([wave(0, ["a", "b", "c"], parallel=2), wave(1, ["d"])])
    state = start(whole, "r")
    assert started(next_actions(whole, state, NOW)) == ["a", "b"]
    state = host_started(state, "a", HostPhase.PATCHING, "", NOW)
    assert started(next_actions(whole, state, NOW)) == ["b"]
    state = host_started(state, "b", HostPhase.PATCHING, "", NOW)
    (wait,) = next_actions(whole, state, NOW)
    assert (wait.kind, wait.reason, wait.until) == (ActionKind.WAIT, "2 of 2 at work", None)


def test_asking_twice_gives_the_same_answer() -> None:
    whole = plan([wave(0, ["a", "b"])])
    state = start(whole, "r")
    assert next_actions(whole, state, NOW) == next_actions(whole, state, NOW)


def test_the_next_wave_waits_for_the_soak_and_then_for_a_person() -> None:
    whole = plan([wave(0, ["a"], soak_s=60), wave(1, ["b"], approval=True)])
    state = ended(start(whole, "r"), "a", HostPhase.DONE)
    (close,) = next_actions(whole, state, NOW)
    assert (close.kind, close.wave) == (ActionKind.CLOSE_WAVE, 0)
    state = close_wave(state, 0, NOW)
    (wait,) = next_actions(whole, state, NOW)
    assert (wait.kind, wait.until) == (ActionKind.WAIT, NOW + timedelta(seconds=60))
    later = NOW + timedelta(seconds=60)
    (wait,) = next_actions(whole, state, later)
    assert (wait.until, wait.reason) == (None, "ring-1 waits for approval")
    state = apply_signal(whole, state, Signal.APPROVE, later)
    assert started(next_actions(whole, state, later)) == ["b"]
    state = close_wave(ended(state, "b", HostPhase.DONE), 1, later)
    assert kinds(next_actions(whole, state, later)) == [ActionKind.FINISH]
    assert next_actions(whole, finish(state), later) == ()


def test_a_service_keeps_its_limit_while_others_go_on() -> None:
    whole = plan([wave(0, ["w1", "w2", "x"])], {"web": (["w1", "w2"], 1)})
    state = start(whole, "r")
    assert started(next_actions(whole, state, NOW)) == ["w1", "x"]
    state = ended(host_started(state, "w1", HostPhase.PATCHING, "", NOW), "x", HostPhase.DONE)
    (wait,) = next_actions(whole, state, NOW)
    assert wait.reason == "service web: w1 out, 1 may be"


def test_a_jump_host_keeps_its_limit() -> None:
    whole = plan([wave(0, ["a", "b", "c"])], jumps={"a": "j", "b": "j"})
    assert started(next_actions(whole, start(whole, "r"), NOW)) == ["a", "c"]


def test_a_failed_host_gets_its_way_back_and_the_rollout_pauses() -> None:
    whole = plan([wave(0, ["a", "b"], parallel=1)])
    state = ended(start(whole, "r"), "a", HostPhase.FAILED, "nginx.service is failed")
    back, stop = next_actions(whole, state, NOW)
    assert (back.kind, back.host) == (ActionKind.ROLL_BACK_HOST, "a")
    assert stop.kind is ActionKind.PAUSE
    assert stop.reason == "1 failed in ring-0, 0 may: a failed: nginx.service is failed"


def test_ways_back_keep_the_limit_of_the_jump_host_and_go_first() -> None:
    whole = plan(
        [wave(0, ["a", "b", "c"], max_failures=3)],
        jumps={"a": "j", "b": "j", "c": "j"},
        jump_limits=(("j", 2),),
    )
    state = start(whole, "r")
    for name in ("a", "b"):
        state = host_started(state, name, HostPhase.PATCHING, "", NOW)
    for name in ("a", "b"):
        state = host_finished(state, name, HostPhase.FAILED, "", NOW)
    assert [(action.kind, action.host) for action in next_actions(whole, state, NOW)] == [
        (ActionKind.ROLL_BACK_HOST, "a"),
        (ActionKind.ROLL_BACK_HOST, "b"),
    ]
    narrow = replace(whole, jump_limits=(("j", 1),))
    assert [action.host for action in next_actions(narrow, state, NOW)] == ["a"]


def test_a_paused_rollout_starts_nothing() -> None:
    whole = plan([wave(0, ["a"])])
    (wait,) = next_actions(whole, pause(start(whole, "r"), "lunch"), NOW)
    assert (wait.kind, wait.reason) == (ActionKind.WAIT, "paused: lunch")


def test_the_way_back_is_given_while_paused_and_after_an_abort() -> None:
    whole = plan([wave(0, ["a", "b"])])
    state = ended(start(whole, "r"), "a", HostPhase.FAILED)
    for stopped in (pause(state, "why"), apply_signal(whole, state, Signal.ABORT, NOW)):
        assert kinds(next_actions(whole, stopped, NOW)) == [
            ActionKind.ROLL_BACK_HOST,
            ActionKind.WAIT,
        ]


def test_an_aborted_rollout_lets_the_hosts_at_work_finish_and_ends() -> None:
    whole = plan([wave(0, ["a", "b"])])
    state = host_started(start(whole, "r"), "a", HostPhase.PATCHING, "", NOW)
    state = apply_signal(whole, state, Signal.ABORT, NOW, "by ann")
    assert kinds(next_actions(whole, state, NOW)) == [ActionKind.WAIT]
    state = host_finished(state, "a", HostPhase.DONE, "", NOW)
    assert kinds(next_actions(whole, state, NOW)) == [ActionKind.FINISH]
    assert finish(state).status is RolloutStatus.ABORTED


def test_a_host_taken_back_counts_as_a_failure_until_a_person_resumes() -> None:
    whole = plan([wave(0, ["a", "b"], parallel=1)])
    state = ended(start(whole, "r"), "a", HostPhase.ROLLED_BACK, "it hurt")
    (stop,) = next_actions(whole, state, NOW)
    assert stop.kind is ActionKind.PAUSE
    assert [host.host for host in state.hosts if host.phase.is_failure] == ["a"]
    resumed = apply_signal(whole, pause(state, stop.reason), Signal.RESUME, NOW)
    assert resumed.tolerated == ("a",)
    assert started(next_actions(whole, resumed, NOW)) == ["b"]


def test_failures_up_to_the_limit_do_not_pause() -> None:
    whole = plan([wave(0, ["a", "b", "c"], max_failures=1, parallel=1)])
    state = ended(start(whole, "r"), "a", HostPhase.LOST)
    assert started(next_actions(whole, state, NOW)) == ["b"]
    state = ended(state, "b", HostPhase.LOST)
    assert kinds(next_actions(whole, state, NOW)) == [ActionKind.PAUSE]


def test_a_host_found_unwell_in_the_soak_pauses_the_next_wave() -> None:
    whole = plan([wave(0, ["a"]), wave(1, ["b"])])
    state = close_wave(ended(start(whole, "r"), "a", HostPhase.DONE), 0, NOW)
    state = host_finished(state, "a", HostPhase.FAILED, "died in the soak", NOW)
    later = NOW + timedelta(hours=1)
    assert kinds(next_actions(whole, state, later)) == [
        ActionKind.ROLL_BACK_HOST,
        ActionKind.PAUSE,
    ]


def test_a_wave_that_was_mostly_skipped_is_inconclusive() -> None:
    whole = plan([wave(0, ["a", "b", "c"])])
    state = ended(start(whole, "r"), "a", HostPhase.DONE)
    state = ended(state, "b", HostPhase.SKIPPED, "disk full")
    once = ended(state, "c", HostPhase.DONE)
    assert kinds(next_actions(whole, once, NOW)) == [ActionKind.CLOSE_WAVE]
    twice = ended(state, "c", HostPhase.SKIPPED, "disk full")
    (stop,) = next_actions(whole, twice, NOW)
    assert stop.kind is ActionKind.PAUSE
    assert "inconclusive, 2 of 3 skipped: b: disk full" in stop.reason
    resumed = apply_signal(whole, pause(twice, stop.reason), Signal.RESUME, NOW)
    assert kinds(next_actions(whole, resumed, NOW)) == [ActionKind.CLOSE_WAVE]


def lost_web() -> tuple[Plan, RolloutState]:
    """w1 of a service of two is lost, and a person resumed in that knowledge."""
    whole = plan([wave(0, ["w1", "w2"])], {"web": (["w1", "w2"], 1)})
    state = pause(ended(start(whole, "r"), "w1", HostPhase.LOST, "no answer"), "w1 lost")
    return whole, apply_signal(whole, state, Signal.RESUME, NOW)


def test_resuming_never_takes_out_more_of_a_service() -> None:
    whole, state = lost_web()
    (stop,) = next_actions(whole, state, NOW)
    assert stop.kind is ActionKind.PAUSE
    assert "no room for 1 hosts of ring-0 (service web: w1 out, 1 may be)" in stop.reason
    left_out = apply_signal(whole, pause(state, stop.reason), Signal.RESUME, NOW)
    assert [host.phase for host in left_out.hosts] == [HostPhase.LOST, HostPhase.SKIPPED]
    assert kinds(next_actions(whole, left_out, NOW)) == [ActionKind.CLOSE_WAVE]


def test_a_lost_host_that_is_found_well_makes_room() -> None:
    whole, state = lost_web()
    state = host_finished(state, "w1", HostPhase.DONE, "answered again", NOW)
    assert started(next_actions(whole, state, NOW)) == ["w2"]


def test_a_member_of_unknown_state_counts_as_out() -> None:
    services = {"web": (["w1", "w2"], 1)}
    unknown = (LeftOut("w1", "unreachable", unknown=True),)
    whole = plan([wave(0, ["w2"])], services, left_out=unknown)
    assert kinds(next_actions(whole, start(whole, "r"), NOW)) == [ActionKind.PAUSE]
    known = (LeftOut("w1", "nothing to do"),)
    whole = plan([wave(0, ["w2"])], services, left_out=known)
    assert started(next_actions(whole, start(whole, "r"), NOW)) == ["w2"]


def test_without_the_way_back_a_failed_host_is_left_to_a_person() -> None:
    whole = plan([wave(0, ["a", "b"], parallel=1, max_failures=5)], rollback_on_failure=False)
    state = ended(start(whole, "r"), "a", HostPhase.FAILED, "broken")
    (stop,) = next_actions(whole, state, NOW)
    assert (stop.kind, "a failed: broken" in stop.reason) == (ActionKind.PAUSE, True)
    state = apply_signal(whole, pause(state, stop.reason), Signal.RESUME, NOW)
    state = ended(state, "b", HostPhase.DONE)
    state = close_wave(state, 0, NOW)
    assert kinds(next_actions(whole, state, NOW)) == [ActionKind.FINISH]


def test_a_wave_closes_where_enough_of_it_is_verified() -> None:
    whole = plan([wave(0, ["a", "b", "c"], min_verified=60, max_failures=2)])
    state = ended(ended(start(whole, "r"), "a", HostPhase.DONE), "b", HostPhase.DONE)
    enough = ended(state, "c", HostPhase.SKIPPED, "disk full")
    assert kinds(next_actions(whole, enough, NOW)) == [ActionKind.CLOSE_WAVE]
    strict = plan([wave(0, ["a", "b", "c"], min_verified=70, max_failures=2)])
    (stop,) = next_actions(strict, enough, NOW)
    assert stop.kind is ActionKind.PAUSE
    assert "2 of 3 hosts are verified and 70 % have to be: c: disk full" in stop.reason
    resumed = apply_signal(strict, pause(enough, stop.reason), Signal.RESUME, NOW)
    assert kinds(next_actions(strict, resumed, NOW)) == [ActionKind.CLOSE_WAVE]


def test_hosts_of_a_ring_start_one_by_one_with_a_wait_between_them() -> None:
    whole = plan([wave(0, ["a", "b", "c"], wait_s=300.0)])
    state = start(whole, "r")
    assert started(next_actions(whole, state, NOW)) == ["a"]
    state = carried_out(state, next_actions(whole, state, NOW), NOW)
    done = NOW + timedelta(seconds=40)
    state = host_finished(state, "a", HostPhase.DONE, "", done)
    (wait,) = next_actions(whole, state, done)
    assert (wait.kind, wait.until) == (ActionKind.WAIT, done + timedelta(seconds=300))
    assert wait.reason == "ring-0 waits 300 s between two hosts"
    assert started(next_actions(whole, state, done + timedelta(seconds=300))) == ["b"]


def test_a_large_rollout_starts_its_whole_share_in_one_look() -> None:
    names = [f"h{n}" for n in range(10_000)]
    services = {f"s{n}": (names[n * 10 : n * 10 + 10], 2) for n in range(1000)}
    large = plan([wave(0, names, parallel=5000)], services)
    per_service: dict[str, int] = {}
    for name in started(next_actions(large, start(large, "r"), NOW)):
        service = large.services[int(name[1:]) // 10].service
        per_service[service] = per_service.get(service, 0) + 1
    assert set(per_service.values()) == {2}
    assert len(per_service) == 1000
