"""Windows in zones whose clocks change, freezes around them, and what fits into what is left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suture.core.planning.windows import Freeze, Span, Window, frozen, next_fit, openings

MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(name: str = "w", **fields: Any) -> Window:
    defaults: dict[str, Any] = {"rule": "FREQ=DAILY", "start": "22:00", "duration": "4h"}
    return Window(**{"name": name} | defaults | fields)


def opened(one: Window, begin: str, end: str) -> list[tuple[datetime, datetime | None]]:
    return [(span.opens, span.closes) for span in openings(one, at(begin), at(end))]


BERLIN = window(start="02:30", duration="1h", zone="Europe/Berlin")


def test_where_the_clock_jumps_over_the_time_it_opens_as_late_after_midnight() -> None:
    assert opened(BERLIN, "2026-03-28", "2026-03-31") == [
        (at("2026-03-28T01:30"), at("2026-03-28T02:30")),
        (at("2026-03-29T01:30"), at("2026-03-29T02:30")),  # 03:30 to 04:30 in summer time
        (at("2026-03-30T00:30"), at("2026-03-30T01:30")),
    ]


def test_where_the_time_comes_twice_it_opens_once_at_the_first() -> None:
    assert opened(BERLIN, "2026-10-24T12:00", "2026-10-26T12:00") == [
        (at("2026-10-25T00:30"), at("2026-10-25T01:30")),
        (at("2026-10-26T01:30"), at("2026-10-26T02:30")),
    ]


def test_it_is_open_for_real_seconds_through_a_change() -> None:
    night = window(zone="Europe/Berlin", duration="8h")
    for day in ("2026-03-28", "2026-10-24"):
        ((opens, closes),) = opened(night, f"{day}T12:00", f"{day}T23:00")
        assert closes is not None and closes - opens == timedelta(hours=8)


zones = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "America/Santiago",
        "Africa/Cairo",
        "Africa/Casablanca",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
    ]
)
times_of_day = st.times().map(lambda at: at.replace(second=0, microsecond=0))
days = st.dates(date(2024, 1, 1), date(2030, 1, 1))
# Days on or beside which one of the zones changes its clocks.
changes = st.sampled_from(
    [
        "2026-03-08",
        "2026-11-01",
        "2026-03-29",
        "2026-10-25",
        "2026-04-04",
        "2026-04-05",
        "2026-09-06",
        "2026-04-24",
        "2026-10-29",
        "2026-02-15",
        "2026-03-22",
        "2026-10-04",
        "2026-09-27",
    ]
).flatmap(lambda day: st.integers(-1, 1).map(lambda n: date.fromisoformat(day) + timedelta(n)))


@settings(deadline=None)
@given(zones, times_of_day, changes | days)
def test_it_opens_at_its_time_of_day_or_as_long_after_midnight(
    zone: str, start: time, day: date
) -> None:
    """Against every minute of the local day, read off the zone's clock one by one."""
    begin = datetime.combine(day, time(), UTC) - timedelta(hours=26)
    minutes = [begin + n * MINUTE for n in range(76 * 60)]
    local = [(m, m.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for m in minutes]
    today = [(m, wall) for m, wall in local if wall.date() == day]
    exact = [m for m, wall in today if wall.time() == start]
    elapsed = timedelta(hours=start.hour, minutes=start.minute)
    expected = exact[0] if exact else today[0][0] + elapsed
    one = window(start=f"{start:%H:%M}", zone=zone, since=day, rule="FREQ=YEARLY", duration="90m")
    (span,) = openings(one, minutes[0], minutes[-1])
    assert span == Span("w", expected, expected + timedelta(minutes=90))


windows = st.builds(
    window,
    st.sampled_from(["a", "b"]),
    rule=st.sampled_from(
        ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=WEEKLY;INTERVAL=2", "FREQ=MONTHLY"]
    ),
    start=times_of_day.map(lambda at: f"{at:%H:%M}"),
    duration=st.sampled_from(["30m", "4h", "30h"]),
    zone=zones,
)
freezes = st.builds(
    lambda begins, length, zone: Freeze(
        name="f", begins=begins, ends=begins + timedelta(length), zone=zone
    ),
    changes | days,
    st.integers(0, 20),
    zones,
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))


def is_open(one: Window, now: datetime) -> bool:
    around = openings(one, now - timedelta(days=31), now + MINUTE)
    return any(s.opens <= now and s.closes is not None and now < s.closes for s in around)


def open_at(windows: Sequence[Window], freezes: Sequence[Freeze], now: datetime) -> Span | None:
    """The span that is open now."""
    span = next_fit(windows, freezes, now, 0)
    return span if span is not None and span.opens <= now else None


@settings(deadline=None)
@given(st.lists(windows, max_size=3), st.lists(freezes, max_size=3), moments)
def test_what_is_open_now_is_open_by_a_window_and_in_no_freeze(
    some: list[Window], held: list[Freeze], now: datetime
) -> None:
    expected = not some or any(is_open(one, now) for one in some)
    if any(begins <= now < ends for freeze in held for begins, ends in frozen(freeze)):
        expected = False
    span = open_at(some, held, now)
    assert (span is not None) == expected
    if span is not None:
        assert span.admits(now, 0)


@settings(deadline=None)
@given(
    st.lists(windows, max_size=3), st.lists(freezes, max_size=3), moments, st.integers(1, 40_000)
)
def test_what_fits_is_inside_of_what_is_open_all_the_time(
    some: list[Window], held: list[Freeze], now: datetime, needs: int
) -> None:
    span = next_fit(some, held, now, needs)
    if span is None:
        assert some
        return
    begins = max(now, span.opens)
    assert span.admits(begins, needs)
    for share in (0, 0.5, 0.999):
        assert open_at(some, held, begins + timedelta(seconds=needs * share)) == span
    open_now = open_at(some, held, now)
    if open_now is not None and open_now.admits(now, needs):
        assert open_now == span


@settings(deadline=None)
@given(st.lists(windows, min_size=1, max_size=3), st.lists(freezes, max_size=2), moments)
def test_spans_follow_each_other_without_touching(
    some: list[Window], held: list[Freeze], now: datetime
) -> None:
    found: list[Span] = []
    while len(found) < 6:
        span = next_fit(some, held, now, 1)
        assert span is not None
        found.append(span)
        if span.closes is None:
            break
        now = span.closes
    assert all(one.closes is not None and one.closes < two.opens for one, two in pairwise(found))


def test_a_freeze_takes_whole_days_of_its_zone_and_single_ones() -> None:
    year_end = Freeze(
        name="f",
        begins=date(2026, 12, 20),
        ends=date(2026, 12, 21),
        days=(date(2026, 12, 25),),
        zone="Europe/Berlin",
    )
    for moment, free in (
        ("2026-12-19T22:59", True),
        ("2026-12-19T23:00", False),
        ("2026-12-21T22:59", False),
        ("2026-12-21T23:00", True),
        ("2026-12-25T12:00", False),
    ):
        assert (open_at((), (year_end,), at(moment)) is not None) is free
    span = open_at((), (year_end,), at("2026-12-19T20:00"))
    assert span is not None and span.closes == at("2026-12-19T23:00")


def test_a_freeze_may_last_as_long_as_there_are_years() -> None:
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        freeze = Freeze(name="f", begins=date(1970, 1, 1), ends=date(9998, 12, 31), zone=zone)
        span = next_fit((), [freeze], at("2026-01-01"), 60)
        assert span and span.opens.year >= 9998


def test_windows_that_touch_are_one() -> None:
    some = (window("a", start="20:00", duration="2h"), window("b", start="22:00", duration="2h"))
    assert next_fit(some, (), at("2026-05-04T12:00"), 4 * 3600) == Span(
        "a", at("2026-05-04T20:00"), at("2026-05-05T00:00")
    )
    assert next_fit(some, (), at("2026-05-04T12:00"), 4 * 3600 + 1) is None


def test_without_windows_it_is_always_open() -> None:
    span = next_fit((), (), at("2026-05-04T12:00"), 1e7)
    assert span is not None and span.closes is None


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"zone": "Europe/Nowhere"}, "no time zone is called"),
        ({"zone": "posix"}, "no time zone is called"),
        ({"duration": "0s"}, "not open between 1s and 31d"),
        ({"duration": "32d"}, "not open between 1s and 31d"),
        ({"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "never opens"),
        ({"rule": "FREQ=HOURLY"}, "FREQ is one of DAILY, MONTHLY, WEEKLY, YEARLY"),
        ({"rule": "BYDAY=MO"}, "FREQ is one of"),
        ({"rule": "FREQ=DAILY;COUNT=3"}, "COUNT is not used here"),
        ({"rule": "FREQ=DAILY;FREQ=WEEKLY"}, "a part is there twice"),
        ({"rule": "FREQ=DAILY;INTERVAL=0"}, "INTERVAL is a number from 1 to 999"),
        ({"rule": "FREQ=WEEKLY;BYDAY=XX"}, "no RRULE that can be followed"),
        ({"rule": "FREQ=MONTHLY;BYMONTHDAY=99"}, "never opens"),
    ],
)
def test_a_window_that_cannot_be_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        window(**fields)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["FREQ", "INTERVAL", "BYDAY", "BYSETPOS", "BYWEEKNO", "BYYEARDAY", "X"]
            ),
            st.text("DAILYWEKMOTU,+-0123", min_size=1, max_size=8)
            | st.sampled_from(["DAILY", "WEEKLY", "MO", "1"]),
        ),
        max_size=4,
    )
)
def test_a_rule_is_followed_or_refused(parts: list[tuple[str, str]]) -> None:
    try:
        one = window(rule=";".join(f"{key}={value}" for key, value in parts))
    except ValueError as error:
        assert str(error)
    else:
        assert next(openings(one, at("2024-01-01"), at("2060-01-01"))).closes is not None


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, "has no day"),
        ({"begins": date(2026, 1, 2)}, "only one of begins and ends"),
        ({"begins": date(2026, 1, 2), "ends": date(2026, 1, 1)}, "ends before it begins"),
        ({"days": (date(2026, 1, 2),), "zone": "Mars/Olympus"}, "no time zone is called"),
        ({"begins": date(2026, 1, 2), "ends": date.max}, "9999-12-31 is not in the years"),
        ({"days": (date.min,)}, "0001-01-01 is not in the years 1970 to 9998"),
    ],
)
def test_a_freeze_that_cannot_be_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Freeze(name="f", **fields)
