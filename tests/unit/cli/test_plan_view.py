from __future__ import annotations

import io
from datetime import date, timedelta

import pytest
from msgspec.structs import replace
from rich.console import Console

from suture.cli.plan_view import print_ledger, print_plan, print_planned
from suture.core.planning.gates import Alerts, Canary, Gate, Source
from suture.core.planning.hooks import Hook, HookPhase, Place
from suture.core.planning.plan import LeftOut, Plan, Slot, Timetable
from suture.core.planning.windows import Freeze, Window
from suture.core.selection.ledger import Ledger, LedgerEntry, Reason
from suture.services.errors import NotFoundError
from suture.services.plans import Rehearsed, planned
from tests.unit.core import builders


def _console() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=120), file


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (builders.plan([builders.wave(0, ["a"], max_failures=0)]), "one fails"),
        (builders.plan([builders.wave(0, ["a"], max_failures=2)]), "more than 2 fail"),
        (
            builders.plan([builders.wave(0, ["a"], max_failures=2)], rollback_on_failure=False),
            "one fails",
        ),
        (builders.plan([builders.wave(0, ["a"], soak_s=0.0)]), "no soak"),
        (
            builders.plan([builders.wave(0, ["a"])], predownload_s=3600.0),
            "packages up to 60 min before",
        ),
    ],
)
def test_a_wave_says_when_it_pauses_and_what_follows(plan: Plan, words: str) -> None:
    out, file = _console()
    print_plan(out, plan)
    assert words in file.getvalue()


@pytest.mark.parametrize(
    ("days", "late", "words"),
    [
        (-1, "", "2026-03-01: overdue"),
        (0, "", "2026-03-02 "),
        (1, "CVE-2026-1", "2026-03-03: no window closes CVE-2026-1 in time"),
    ],
)
def test_what_is_overdue_and_what_will_be_is_said(days: int, late: str, words: str) -> None:
    plan = builders.plan([builders.wave(0, ["a"])])
    due = plan.created_at.date() + timedelta(days)
    slot = Slot("a", (), (), exploited=False, takes_s=1, reserve_s=1, due=due, late=late)
    out, file = _console()
    print_plan(out, replace(plan, timetable=Timetable((), (), (slot,))))
    assert words in " ".join(file.getvalue().split())


def test_what_was_rehearsed_is_told_beside_what_is_expected() -> None:
    plan = builders.plan([builders.wave(0, ["a"])])
    seen = Rehearsed(("nginx.service", "ssh.service"), "dbus.service still runs replaced code")
    for rehearsed, words in (
        ({}, ""),
        ({plan.hosts[0].class_id: seen}, "restarted nginx.service, ssh.service · rebooted (dbus"),
        ({plan.hosts[0].class_id: Rehearsed((), "")}, "restarted nothing · no reboot"),
    ):
        out, file = _console()
        print_plan(out, plan, rehearsed)
        assert words in file.getvalue()
        assert ("as rehearsed: " in file.getvalue()) is bool(rehearsed)


def test_the_windows_of_hosts_are_shown_and_what_they_are_too_late_for() -> None:
    night = Window(name="nights", rule="FREQ=DAILY", start="22:00", duration="4h")
    freeze = Freeze(name="fair", days=(date(2026, 3, 9),))
    opens = builders.NOW.replace(hour=22)
    plan = builders.timed(
        builders.plan([builders.wave(0, ["a", "b"])]),
        [night],
        [freeze],
        opens_at=opens,
        closes_at=opens + timedelta(hours=4),
        due=date(2026, 3, 1),
        late="CVE-2026-0001",
    )
    out, file = _console()
    print_plan(out, plan)
    said = " ".join(file.getvalue().split())
    assert "nights a, b Mon 2026-03-02 22:00 Tue 2026-03-03 02:00 2 min, 60 s of it" in said
    assert "no window closes" in said
    assert "Window nights: FREQ=DAILY at 22:00 for 4h, UTC" in said
    assert "Freeze fair: 2026-03-09, UTC" in said


def test_the_ledgers_sum_begins_with_what_is_taken() -> None:
    reasons = (Reason.BLOCKED, Reason.SELECTED, Reason.HELD, Reason.SELECTED)
    entries = tuple(
        LedgerEntry(f"package-{number}", "amd64", "1", "2", reason)
        for number, reason in enumerate(reasons)
    )
    out, file = _console()
    print_ledger(out, Ledger(4, entries), "web1")
    assert "web1: 4 updates available = 2 selected + 1 blocked + 1 held" in file.getvalue()


def test_of_very_many_groups_of_hosts_the_largest_are_shown() -> None:
    names = [f"host-{number:05}" for number in range(3000)]
    plan = builders.plan([builders.wave(0, names)])
    for name in names[:20]:
        plan = builders.with_host(plan, name, patch_set=name * 6)
    reason = "it could not be reached"
    left_out = tuple(LeftOut(f"away-{number}", reason) for number in range(500))
    out, file = _console()
    print_plan(out, replace(plan, left_out=left_out))
    said = " ".join(file.getvalue().split())
    assert len(file.getvalue().splitlines()) < 120
    assert "and 2,994 more" in said
    assert "and 2,974 more" in said
    assert (
        f"And 13 more, each a set of changes of its own, on 13 hosts: suture plan show {plan.id}"
        in (said.replace(replace(plan, left_out=left_out).id, plan.id))
    )
    assert "away-0, away-1, away-2, away-3, away-4, away-5 and 494 more" in said


def test_one_host_of_a_plan_is_shown_with_its_wave_or_why_it_is_left_out() -> None:
    plan = builders.plan([builders.wave(0, ["a"]), builders.wave(1, ["b"])])
    plan = replace(plan, left_out=(LeftOut("c", "it could not be reached"),))
    for name, words in (("b", "wave 2 (ring-1)"), ("c", "out: it could not be reached")):
        out, file = _console()
        print_planned(out, planned(plan, name))
        assert f"Plan {plan.id}" in file.getvalue()
        assert words in file.getvalue()
    with pytest.raises(NotFoundError):
        planned(plan, "d")


def test_gates_and_hooks_are_shown() -> None:
    gate = Gate(30.0, Canary(Source.PROC, 0.25), Alerts("http://127.0.0.1:9093", ('a="b"',)))
    plan = builders.plan([builders.wave(0, ["a"], gate=gate), builders.wave(1, ["b", "c"])])
    plan = builders.with_host(plan, "a", hooks=(Hook(HookPhase.DRAIN, Place.HOST, "lb off", 5.0),))
    out, file = _console()
    print_plan(out, plan)
    said = " ".join(file.getvalue().split())
    assert "Gate after ring-0: /proc beside hosts not patched, 25% worse fails; no alert" in said
    assert '(a="b") at http://127.0.0.1:9093; 18 looks, 30 s apart' in said
    assert "Hook drain on the host, a: lb off" in said
