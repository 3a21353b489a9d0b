"""Since when a host has had what it has."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.assessment.history import Observed, Presence, unbroken

DAY = date(2026, 3, 1)
SOURCES = 4

History = list[tuple[int, set[int]]]  # (day, sources), newest first


def presence(histories: list[History]) -> Presence:
    rows = [(host, *one) for host, some in enumerate(histories) for one in some]
    lengths = [len(sources) for _, _, sources in rows]
    seen = Observed(
        host=np.array([host for host, _, _ in rows], np.int64),
        day=np.array([DAY.toordinal() + day for _, day, _ in rows], np.int32),
        starts=np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))),
        source=np.array([one for _, _, sources in rows for one in sources], np.int64),
    )
    hosts = {f"h{number}": number for number in range(len(histories))}
    sources = {f"s{number}": number for number in range(SOURCES)}
    return Presence(hosts, sources, *unbroken(seen, SOURCES))


def expected(history: History, source: int) -> date | None:
    day = None
    for at, sources in history:
        if source not in sources:
            break
        day = at
    return None if day is None else date.fromordinal(DAY.toordinal() + day)


sets = st.sets(st.integers(0, SOURCES - 1))
days = st.lists(st.integers(0, 99), max_size=5, unique=True).map(lambda some: sorted(some)[::-1])


@given(
    st.lists(
        days.flatmap(lambda d: st.tuples(*(st.tuples(st.just(one), sets) for one in d)).map(list)),
        max_size=4,
    )
)
def test_as_far_back_as_it_was_seen_without_a_break(histories: list[History]) -> None:
    found = presence(histories)
    for host, history in enumerate(histories):
        for source in range(SOURCES):
            asked = [(f"h{host}", f"s{source}", None)]
            assert found.open_since(asked) == [expected(history, source)]


@pytest.mark.parametrize(
    ("published", "since"),
    [
        (None, date(2026, 3, 2)),
        (date(2020, 1, 1), date(2026, 3, 2)),
        (date(2026, 3, 9), date(2026, 3, 9)),
    ],
)
def test_open_from_when_it_was_both_published_and_installed(
    published: date | None, since: date
) -> None:
    found = presence([[(8, {0}), (4, {0}), (1, {0, 1}), (0, {1})]])
    assert found.open_since([("h0", "s0", published)]) == [since]


def test_what_was_never_seen_is_not_known() -> None:
    found = presence([[(1, {0})], []])
    never = (("h0", "s1"), ("h0", "other"), ("h1", "s0"), ("other", "s0"))
    asked = [("h0", "s0", None), *((host, source, DAY) for host, source in never)]
    first, *others = found.open_since(asked)
    assert first is not None
    assert others == [None] * 4
