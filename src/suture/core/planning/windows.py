"""Maintenance windows and freezes: when a host may be worked on, and when it next may be.

A window recurs by an RRULE (RFC 5545) on days, and opens on each of them at a time of day in its
own zone. It stays open for its duration in real seconds, whatever the clocks do meanwhile. Where
they jump over the time of day, it opens as late after midnight as it would have without the jump;
where that time comes twice, at the first. It opens once a day either way.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr
from msgspec import Meta

from suture.core.documents import Document
from suture.core.words import Duration, Name, Pattern, seconds

MAX_DURATION = timedelta(days=31)

Rule = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z]{2,10}=[A-Z0-9,+-]{1,100}(;[A-Z]{2,10}=[A-Z0-9,+-]{1,100}){0,8}\Z",
        description="an RRULE such as FREQ=WEEKLY;BYDAY=SA,SU",
    ),
]
TimeOfDay = Annotated[
    str,
    Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z",
        description='a time of day in quotes, such as "22:30"',
    ),
]
Zone = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}\Z",
        description="a time zone such as Europe/Berlin or UTC",
    ),
]
Day = Annotated[date, Meta(description="a day such as 2026-12-24")]

# A rule chooses days; the time of day is the window's own, and it recurs without end.
_PARTS = frozenset(
    [
        "FREQ",
        "INTERVAL",
        "BYDAY",
        "BYMONTHDAY",
        "BYMONTH",
        "BYSETPOS",
        "BYWEEKNO",
        "BYYEARDAY",
        "WKST",
    ]
)
_FIRST_YEAR, _LAST_YEAR = 1970, 9998  # beside these, midnight in some zone is no date any more
_FREQUENCIES = frozenset(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])


class Window(Document, frozen=True, kw_only=True):
    """When hosts may be worked on. ``hosts`` are patterns; without any it is for those that no
    other window names. ``since`` is the day from which intervals are counted.
    """

    name: Name
    hosts: tuple[Pattern, ...] = ()
    rule: Rule
    start: TimeOfDay
    duration: Duration
    zone: Zone = "UTC"
    since: Day = date(2024, 1, 1)

    def __post_init__(self) -> None:
        _zone(self.zone)
        length = timedelta(seconds=seconds(self.duration))
        if not timedelta(0) < length <= MAX_DURATION:
            raise ValueError(f"window `{self.name}` is not open between 1s and 31d")
        if _first_day(self.rule, self.since) is None:
            raise ValueError(f"window `{self.name}` never opens; correct its rule")


class Freeze(Document, frozen=True, kw_only=True):
    """When nothing is started: from the first moment of ``begins`` to the last of ``ends``, and on
    each of ``days`` (holidays), in the zone. Without ``hosts`` it is for all of them."""

    name: Name
    hosts: tuple[Pattern, ...] = ()
    begins: Day | None = None
    ends: Day | None = None
    days: tuple[Day, ...] = ()
    zone: Zone = "UTC"

    def __post_init__(self) -> None:
        _zone(self.zone)
        if (self.begins is None) != (self.ends is None):
            raise ValueError(f"freeze `{self.name}` has only one of begins and ends; give both")
        if self.begins and self.ends and self.ends < self.begins:
            raise ValueError(f"freeze `{self.name}` ends before it begins")
        if self.begins is None and not self.days:
            raise ValueError(f"freeze `{self.name}` has no day; give begins and ends, or days")
        for day in (self.begins, self.ends, *self.days):
            if day and not _FIRST_YEAR <= day.year <= _LAST_YEAR:
                years = f"{_FIRST_YEAR} to {_LAST_YEAR}"
                raise ValueError(f"freeze `{self.name}`: {day} is not in the years {years}")


class Span(Document, frozen=True):
    """A time that is open, first instant in and last one out. ``name`` is the window's, empty
    where hosts need none; ``closes`` is None where no end is in sight."""

    name: str
    opens: datetime
    closes: datetime | None

    def admits(self, now: datetime, needs_s: float) -> bool:
        """Whether what takes ``needs_s`` and begins now would end inside of it."""
        if now < self.opens:
            return False
        return self.closes is None or now + timedelta(seconds=needs_s) <= self.closes


def next_fit(
    windows: Sequence[Window], freezes: Sequence[Freeze], now: datetime, needs_s: float
) -> Span | None:
    """The first span, from now on, in which ``needs_s`` seconds fit; None where there is none for
    at least a year. Where it is open already, enough of it is left. Without ``windows`` all time is
    open but for the freezes."""
    spans, ends = _spans(tuple(windows), tuple(freezes), now.astimezone(UTC).year)
    for at in range(bisect_right(ends, now), len(spans)):
        if spans[at].admits(max(now, spans[at].opens), needs_s):
            return spans[at]
    return None


def openings(window: Window, begin: datetime, end: datetime) -> Iterator[Span]:
    """The times at which the window is open, as far as they open in [begin, end), in order."""
    zone = _zone(window.zone)
    at = time.fromisoformat(window.start)
    length = timedelta(seconds=seconds(window.duration))
    for year in range(begin.year - 1, end.year + 2):
        for day in _days(window.rule, window.since, year):
            opens = datetime.combine(day, at, zone).astimezone(UTC)
            if begin <= opens < end:
                yield Span(window.name, opens, opens + length)


def frozen(freeze: Freeze) -> Iterator[tuple[datetime, datetime]]:
    """The times that the freeze takes, in no order."""
    zone = _zone(freeze.zone)
    if freeze.begins is not None and freeze.ends is not None:
        yield _midnight(freeze.begins, zone), _midnight(freeze.ends + timedelta(1), zone)
    for day in freeze.days:
        yield _midnight(day, zone), _midnight(day + timedelta(1), zone)


def check_rule(rule: str) -> None:
    """Raises :class:`ValueError` where the rule is none, or chooses something else than days."""
    pairs = [part.partition("=") for part in rule.split(";")]
    parts = {key: value for key, _, value in pairs}
    if len(parts) != len(pairs):
        raise ValueError(f"rule `{rule}`: a part is there twice")
    for key in parts:
        if key not in _PARTS:
            known = ", ".join(sorted(_PARTS))
            raise ValueError(f"rule `{rule}`: {key} is not used here; {known} are")
    if parts.get("FREQ") not in _FREQUENCIES:
        raise ValueError(f"rule `{rule}`: FREQ is one of {', '.join(sorted(_FREQUENCIES))}")
    if not re.fullmatch(r"[1-9][0-9]{0,2}", parts.get("INTERVAL", "1")):
        raise ValueError(f"rule `{rule}`: INTERVAL is a number from 1 to 999")


@lru_cache(maxsize=1024)
def _spans(
    windows: tuple[Window, ...], freezes: tuple[Freeze, ...], year: int
) -> tuple[tuple[Span, ...], tuple[datetime, ...]]:
    """What is open in ``year`` and the next one, apart and in order, and when each span ends."""
    begin = datetime(year, 1, 1, tzinfo=UTC) - MAX_DURATION
    end = datetime(year + 2, 1, 1, tzinfo=UTC)
    sight = end + MAX_DURATION
    opened = (span for window in windows for span in openings(window, begin, sight))
    spans = _joined(opened, sight) if windows else [Span("", begin, None)]
    for taken in sorted(times for freeze in freezes for times in frozen(freeze)):
        spans = [part for span in spans for part in _without(span, *taken)]
    return tuple(spans), tuple(span.closes or datetime.max.replace(tzinfo=UTC) for span in spans)


def _joined(spans: Iterable[Span], sight: datetime) -> list[Span]:
    """Spans that touch or overlap are one, under the name of the first. What is open at the end
    of what was looked at has no end in sight."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.opens, span.name)):
        last = joined[-1] if joined else None
        if last and last.closes and span.closes and span.opens <= last.closes:
            joined[-1] = Span(last.name, last.opens, max(last.closes, span.closes))
        else:
            joined.append(span)
    return [
        Span(span.name, span.opens, None) if span.closes and span.closes >= sight else span
        for span in joined
        if span.opens < sight - MAX_DURATION
    ]


def _without(span: Span, begins: datetime, ends: datetime) -> Iterator[Span]:
    """What is left of ``span`` around a freeze."""
    if ends <= span.opens or (span.closes is not None and begins >= span.closes):
        yield span
        return
    if span.opens < begins:
        yield Span(span.name, span.opens, begins)
    if span.closes is None or ends < span.closes:
        yield Span(span.name, ends, span.closes)


@lru_cache(maxsize=1024)
def _days(rule: str, since: date, year: int) -> tuple[date, ...]:
    """The days of ``year`` that the rule chooses."""
    begin, end = datetime(year, 1, 1), datetime(year, 12, 31)
    return tuple(at.date() for at in _recurrence(rule, since).between(begin, end, inc=True))


@lru_cache(maxsize=1024)
def _first_day(rule: str, since: date) -> date | None:
    check_rule(rule)
    try:
        first = next(iter(_recurrence(rule, since)), None)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        raise ValueError(f"rule `{rule}` is no RRULE that can be followed") from None
    return first.date() if first else None


@lru_cache(maxsize=1024)
def _recurrence(rule: str, since: date) -> Any:
    return rrulestr(rule, dtstart=datetime.combine(since, time()), cache=True)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise ValueError(f"no time zone is called `{name}`; one is Europe/Berlin") from None
