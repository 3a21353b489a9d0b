from __future__ import annotations

import io

import pytest
from rich.console import Console

from suture.cli.plan_view import print_ledger, print_plan
from suture.core.planning import Plan
from suture.core.selection import Ledger, LedgerEntry, Reason
from suture.services.plans import Rehearsed
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
    ],
)
def test_a_wave_says_when_it_pauses_and_what_follows(plan: Plan, words: str) -> None:
    out, file = _console()
    print_plan(out, plan)
    assert words in file.getvalue()


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


def test_the_ledgers_sum_begins_with_what_is_taken() -> None:
    reasons = (Reason.BLOCKED, Reason.SELECTED, Reason.HELD, Reason.SELECTED)
    entries = tuple(
        LedgerEntry(f"package-{number}", "amd64", "1", "2", reason)
        for number, reason in enumerate(reasons)
    )
    out, file = _console()
    print_ledger(out, Ledger(4, entries), "web1")
    assert "web1: 4 updates available = 2 selected + 1 blocked + 1 held" in file.getvalue()
