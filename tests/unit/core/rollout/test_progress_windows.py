"""When a rollout may start hosts: windows, what is left of them, and freezes."""

from datetime import timedelta

from msgspec.structs import replace

from suture.core.planning.plan import Plan
from suture.core.planning.windows import Freeze, Window
from suture.core.rollout.progress import next_actions
from suture.core.rollout.signals import apply_signal
from suture.core.rollout.state import (
    ActionKind,
    HostPhase,
    Signal,
)
from suture.core.rollout.transitions import (
    host_finished,
    host_started,
    pause,
    start,
)
from tests.unit.core.builders import NOW, plan, timed, wave
from tests.unit.core.rollout.test_progress import ended, kinds, started

NIGHT = Window(name="night", rule="FREQ=DAILY", start="22:00", duration="1h")
TEN_PM = NOW.replace(hour=22)


def nightly() -> Plan:
    """Each host takes a minute there and one back."""
    return timed(plan([wave(0, ["a", "b"], parallel=1), wave(1, ["c"])]), [NIGHT])


def test_outside_of_its_window_a_host_waits_for_the_next_opening() -> None:
    whole = nightly()
    (wait,) = next_actions(whole, start(whole, "r"), NOW)
    assert (wait.kind, wait.until, wait.wave) == (ActionKind.WAIT, TEN_PM, 0)
    assert wait.reason == "2 hosts of ring-0 wait for window night at 2026-03-02 22:00 UTC"
    assert started(next_actions(whole, start(whole, "r"), TEN_PM)) == ["a"]


def test_what_is_left_of_a_window_has_to_be_enough_for_the_way_back_too() -> None:
    whole, closes = nightly(), TEN_PM + timedelta(hours=1)
    state = start(whole, "r")
    assert started(next_actions(whole, state, closes - timedelta(seconds=120))) == ["a"]
    (wait,) = next_actions(whole, state, closes - timedelta(seconds=119))
    assert (wait.kind, wait.until) == (ActionKind.WAIT, TEN_PM + timedelta(days=1))


def test_a_running_host_is_left_alone_and_its_way_back_waits_for_no_window() -> None:
    whole, later = nightly(), TEN_PM + timedelta(hours=3)
    state = host_started(start(whole, "r"), "a", HostPhase.PATCHING, "", TEN_PM)
    assert kinds(next_actions(whole, state, later)) == [ActionKind.WAIT]
    state = host_finished(state, "a", HostPhase.FAILED, "it hurt", later)
    assert next_actions(whole, state, later)[0].kind is ActionKind.ROLL_BACK_HOST


def test_a_freeze_holds_everything_but_ways_back() -> None:
    freeze = Freeze(name="f", days=(NOW.date(),))
    whole = timed(plan([wave(0, ["a", "b"])]), [], [freeze])
    state = ended(start(whole, "r"), "a", HostPhase.FAILED)
    (back, stop) = next_actions(whole, state, NOW)
    assert (back.kind, stop.kind) == (ActionKind.ROLL_BACK_HOST, ActionKind.PAUSE)
    (wait,) = next_actions(whole, start(whole, "r"), NOW)
    assert wait.until == (NOW + timedelta(days=1)).replace(hour=0)
    assert "wait for the end of a freeze at 2026-03-03 00:00 UTC" in wait.reason


def test_hosts_whose_window_is_open_go_on_while_others_wait() -> None:
    whole = timed(plan([wave(0, ["a", "b"])]), [NIGHT])
    assert whole.timetable
    slots = [
        replace(slot, windows=()) if slot.host == "b" else slot for slot in whole.timetable.hosts
    ]
    whole = replace(whole, timetable=replace(whole.timetable, hosts=tuple(slots)))
    state = start(whole, "r")
    assert started(next_actions(whole, state, NOW)) == ["b"]
    (wait,) = next_actions(whole, ended(state, "b", HostPhase.DONE), NOW)
    assert wait.until == TEN_PM


def test_a_host_that_no_window_admits_any_more_needs_a_person_who_leaves_it_out() -> None:
    whole = timed(plan([wave(0, ["a", "b"])]), [NIGHT], takes_s=4000.0)
    state = start(whole, "r")
    (stop,) = next_actions(whole, state, NOW)
    assert stop.kind is ActionKind.PAUSE
    assert "no window admits them within a year" in stop.reason
    resumed = apply_signal(whole, pause(state, stop.reason), Signal.RESUME, NOW)
    assert kinds(next_actions(whole, resumed, NOW)) == [ActionKind.CLOSE_WAVE]
