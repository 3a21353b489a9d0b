"""By when a finding has to be closed: CISA's date where it is known to be exploited, and the
policy's own limits by severity, whichever is earlier."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

from suture.core.documents import Document
from suture.core.intelligence.advisories import Severity

Days = Annotated[str, Meta(pattern=r"^[0-9]{1,4}d\Z", description="a number of days such as 30d")]


class TimeLimits(Document, frozen=True, kw_only=True):
    """How long a finding may stay open, by severity, from the day on which it was first known."""

    critical: Days = "7d"
    high: Days = "30d"
    medium: Days = "90d"
    low: Days = "180d"
    unknown: Days = "30d"

    def of(self, severity: Severity) -> timedelta:
        return timedelta(days=int(getattr(self, severity.value).removesuffix("d")))


class Deadline(Document, frozen=True):
    """``due`` is the last day on which it is in time; ``reason`` says why that day."""

    due: date
    overdue: bool
    reason: str


@lru_cache(maxsize=65_536)  # most findings of a fleet share few days and severities
def deadline(
    severity: Severity,
    *,
    kev_due: date | None,
    open_since: date | None,
    limits: TimeLimits,
    today: date,
) -> Deadline | None:
    """``kev_due`` is CISA's date. None where neither that is known nor since when it is open."""
    dates = []
    if kev_due is not None:
        dates.append((kev_due, "CISA's date for what is known to be exploited"))
    if open_since is not None:
        limit = limits.of(severity)
        said = f"{severity} severity" if severity is not Severity.UNKNOWN else "unknown severity"
        dates.append(
            (open_since + limit, f"{said} within {limit.days} days, open since {open_since}")
        )
    if not dates:
        return None
    due, why = min(dates)
    return Deadline(due, due < today, f"due {due}, {_away(due, today)}: {why}")


def _away(due: date, today: date) -> str:
    days = (due - today).days
    count = f"{abs(days)} day{'' if abs(days) == 1 else 's'}"
    return f"in {count}" if days >= 0 else f"{count} overdue"
