from __future__ import annotations

import io

import pytest
from rich.console import Console

from suture.cli.plan_view import print_ledger, print_plan
from suture.core.planning import Plan
from suture.core.selection import Ledger, LedgerEntry, Reason
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


def test_the_ledgers_sum_begins_with_what_is_taken() -> None:
    reasons = (Reason.BLOCKED, Reason.SELECTED, Reason.HELD, Reason.SELECTED)
    entries = tuple(
        LedgerEntry(f"package-{number}", "amd64", "1", "2", reason)
        for number, reason in enumerate(reasons)
    )
    out, file = _console()
    print_ledger(out, Ledger(4, entries), "web1")
    assert "web1: 4 updates available = 2 selected + 1 blocked + 1 held" in file.getvalue()
