"""Windows in plans: which are for which host, what does not fit, and what comes too late."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from suture.core.assessment.findings import Finding, FindingState
from suture.core.durations import Durations
from suture.core.inventory import Host
from suture.core.planning.lint import has_errors, lint
from suture.core.planning.plan import Plan, Slot
from suture.core.planning.planner import make_plan
from suture.core.planning.windows import Freeze, Window
from suture.core.policy import EmergencyPolicy, Policy, RingPolicy
from tests.unit.core.builders import NOW, change, host, inventory, selection

# NOW is Monday 2026-03-02, 12:00 UTC.
NIGHTS = Window(name="nights", hosts=("prod",), rule="FREQ=DAILY", start="22:00", duration="4h")
SUNDAYS = Window(name="sundays", rule="FREQ=WEEKLY;BYDAY=SU", start="02:00", duration="2h")
RINGS = (RingPolicy(name="all"),)


def planned(hosts: Sequence[Host], *findings: Finding, **fields: Any) -> Plan:
    durations = fields.pop("durations", Durations())
    policy = Policy(**{"windows": (NIGHTS, SUNDAYS), "rings": RINGS} | fields)
    return make_plan(
        hosts=hosts,
        inventories={h.name: inventory(h.name) for h in hosts},
        selections={h.name: selection(change()) for h in hosts},
        findings={h.name: [one for one in findings if one.host == h.name] for h in hosts},
        policy=policy,
        now=NOW,
        durations=durations,
    )


def slot(plan: Plan, name: str) -> Slot:
    found = plan.slot(name)
    assert found is not None
    return found


def finding(name: str, **fields: Any) -> Finding:
    defaults: dict[str, Any] = {"cve": "CVE-2026-0001", "state": FindingState.FIXABLE}
    known = {"package": "nginx", "packages": ("nginx",), "source": "nginx", "installed": "1.22.1-9"}
    fixed = {"host": name, "fixed": "1.22.1-9+deb12u1"}
    return Finding(**defaults | known | fixed | fields)


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def test_a_window_without_hosts_is_for_those_that_no_other_names() -> None:
    plan = planned([host("a", labels=("prod",)), host("b")])
    nights, sundays = slot(plan, "a"), slot(plan, "b")
    assert (nights.windows, nights.opens_at, nights.closes_at) == (("nights",), at(2, 22), at(3, 2))
    assert (sundays.windows, sundays.opens_at) == (("sundays",), at(8, 2))
    assert lint(plan)[0].code == "one-wave"
    assert not has_errors(lint(plan))


def test_a_policy_without_a_word_about_time_leaves_the_plan_as_it_was() -> None:
    plan = planned([host("a")], windows=())
    assert not plan.timetable
    assert plan.slot("a") is None


def test_a_freeze_is_for_its_hosts_and_moves_them_on() -> None:
    freeze = Freeze(name="f", hosts=("prod",), begins=date(2026, 3, 2), ends=date(2026, 3, 5))
    plan = planned([host("a", labels=("prod",)), host("b")], freezes=(freeze,))
    assert (slot(plan, "a").freezes, slot(plan, "a").opens_at) == (("f",), at(6, 0))
    assert slot(plan, "b").freezes == ()


def test_a_host_that_no_window_is_long_enough_for_is_left_out() -> None:
    durations = Durations(there_s=4000.0, back_s=4000.0)
    plan = planned([host("a", labels=("prod",)), host("b")], durations=durations)
    (out,) = plan.left_out
    assert out.host == "b"
    assert out.reason == (
        "no window admits it in the next year (sundays): it needs 133 min, 67 of them for the way "
        "back; make one longer"
    )
    assert [w.hosts for w in plan.waves] == [("a",)]


@pytest.mark.parametrize(("due", "late"), [(date(2026, 3, 7), True), (date(2026, 3, 8), False)])
def test_a_deadline_before_the_next_window_is_told(due: date, late: bool) -> None:
    plan = planned([host("b")], finding("b", due=due))
    assert (slot(plan, "b").due, slot(plan, "b").late) == (due, "CVE-2026-0001" if late else "")
    told = [problem.message for problem in lint(plan) if problem.code == "deadline-missed"]
    assert (
        told
        == [
            "CVE-2026-0001 is due 2026-03-07, and no window closes it in time on b: "
            "not before 2026-03-08 02:00 UTC"
        ]
        * late
    )


def test_what_is_overdue_already_is_no_fault_of_the_windows() -> None:
    assert slot(planned([host("b")], finding("b", due=date(2026, 3, 1))), "b").late == ""


def test_a_later_ring_is_forecast_after_the_earlier_and_its_soak() -> None:
    rings = (RingPolicy(name="first", hosts=("b",), soak="1d"), RingPolicy(name="rest"))
    plan = planned([host("a", labels=("prod",)), host("b")], rings=rings)
    assert slot(plan, "b").expected_at == at(8, 2)
    assert slot(plan, "a").expected_at == at(9, 22)
    assert slot(plan, "a").opens_at == at(2, 22)


def test_hosts_that_find_no_place_in_a_window_are_forecast_in_the_next() -> None:
    names = [f"h{n}" for n in range(9)]
    durations = Durations(there_s=3600.0, back_s=600.0)
    rings = (RingPolicy(name="all", parallel=2),)
    plan = planned([host(n, labels=("prod",)) for n in names], rings=rings, durations=durations)
    starts = sorted(slot(plan, name).expected_at or NOW for name in names)
    assert starts[:6] == [at(2, 22), at(2, 22), at(2, 23), at(2, 23), at(3, 0), at(3, 0)]
    assert starts[6:] == [at(3, 22), at(3, 22), at(3, 23)]


LANE = EmergencyPolicy(enabled=True)


def test_the_emergency_lane_goes_first_and_at_any_time() -> None:
    hosts = [host("a", labels=("prod",)), host("b")]
    plan = planned(hosts, finding("b", kev=True), emergency=LANE)
    assert [w.hosts for w in plan.waves] == [("b",), ("a",)]
    assert (slot(plan, "b").windows, slot(plan, "b").exploited) == ((), True)
    assert slot(plan, "b").expected_at == NOW
    assert slot(plan, "a").windows == ("nights",)
    assert not has_errors(lint(plan))


def test_without_the_lane_the_exploited_go_first_in_their_ring_and_in_their_windows() -> None:
    hosts = [host("a"), host("b"), host("c")]
    found = (finding("b", due=date(2026, 4, 1)), finding("c", kev=True))
    plan = planned(hosts, *found)
    assert [w.hosts for w in plan.waves] == [("c", "b", "a")]
    assert slot(plan, "c").windows == ("sundays",)


def test_the_lane_may_have_windows_of_its_own_and_go_through_freezes() -> None:
    daily = Window(name="daily", rule="FREQ=DAILY", start="13:00", duration="1h")
    freeze = Freeze(name="f", begins=date(2026, 3, 2), ends=date(2026, 3, 5))
    fields: dict[str, Any] = {"freezes": (freeze,)}
    lane = EmergencyPolicy(enabled=True, windows=(daily,))
    plan = planned([host("b")], finding("b", kev=True), emergency=lane, **fields)
    assert slot(plan, "b").windows == ("sundays", "daily")
    assert slot(plan, "b").opens_at == at(6, 13)
    lane = EmergencyPolicy(enabled=True, windows=(daily,), through_freezes=True)
    plan = planned([host("b")], finding("b", kev=True), emergency=lane, **fields)
    assert slot(plan, "b").opens_at == at(2, 13)


@pytest.mark.parametrize(("due", "late"), [(date(2026, 3, 6), True), (date(2026, 3, 8), False)])
def test_a_deadline_that_even_the_emergency_lane_misses_is_told(due: date, late: bool) -> None:
    lane = Window(name="lane", rule="FREQ=WEEKLY;BYDAY=SA", start="20:00", duration="2h")
    emergency = EmergencyPolicy(enabled=True, windows=(lane,))
    plan = planned([host("b")], finding("b", kev=True, due=due), emergency=emergency)
    assert slot(plan, "b").exploited
    told = [one.message for one in lint(plan) if one.code == "deadline-missed"]
    assert (
        told
        == [
            f"CVE-2026-0001 is due {due}, and no window closes it in time on b: "
            "not before 2026-03-07 20:00 UTC"
        ]
        * late
    )


def test_what_is_due_on_a_host_that_no_window_admits_is_told() -> None:
    short = Window(name="short", rule="FREQ=DAILY", start="22:00", duration="1m")
    known = finding("b", due=date(2026, 3, 9))
    plan = planned([host("b")], known, windows=(short,))
    (out,) = plan.left_out
    assert out.reason.endswith("make one longer; CVE-2026-0001 is due there 2026-03-09")
