"""By when a finding is due, and why."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.intelligence.advisories import Severity
from suture.core.priority.deadlines import Deadline, TimeLimits, deadline

TODAY = date(2026, 3, 2)
LIMITS = TimeLimits()


def due(
    severity: Severity = Severity.HIGH,
    *,
    kev_due: date | None = None,
    open_since: date | None = None,
) -> Deadline | None:
    return deadline(severity, kev_due=kev_due, open_since=open_since, limits=LIMITS, today=TODAY)


def test_the_limit_counts_from_the_day_it_was_known_to_be_open() -> None:
    assert due(open_since=date(2026, 2, 1)) == Deadline(
        date(2026, 3, 3),
        overdue=False,
        reason="due 2026-03-03, in 1 day: high severity within 30 days, open since 2026-02-01",
    )


def test_on_the_day_itself_it_is_in_time_and_a_day_later_it_is_not() -> None:
    for since, overdue in ((date(2026, 1, 31), False), (date(2026, 1, 30), True)):
        found = due(open_since=since)
        assert found is not None and found.overdue is overdue
    assert found is not None and found.reason.startswith("due 2026-03-01, 1 day overdue: ")


@pytest.mark.parametrize(
    ("severity", "days"),
    [
        (Severity.CRITICAL, 7),
        (Severity.HIGH, 30),
        (Severity.MEDIUM, 90),
        (Severity.LOW, 180),
        (Severity.UNKNOWN, 30),
    ],
)
def test_every_severity_has_a_limit(severity: Severity, days: int) -> None:
    found = due(severity, open_since=TODAY)
    assert found is not None and found.due == TODAY + timedelta(days=days)


dates = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@given(dates, dates)
def test_the_earlier_of_both_dates_holds(kev_due: date, since: date) -> None:
    found = due(kev_due=kev_due, open_since=since)
    assert found is not None
    assert found.due == min(kev_due, since + timedelta(days=30))
    assert found.overdue is (found.due < TODAY)


def test_cisa_s_date_holds_alone_and_no_date_is_none() -> None:
    found = due(kev_due=date(2026, 2, 20))
    assert found == Deadline(
        date(2026, 2, 20),
        overdue=True,
        reason="due 2026-02-20, 10 days overdue: CISA's date for what is known to be exploited",
    )
    assert due() is None
