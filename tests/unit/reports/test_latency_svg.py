from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.performance import Distribution
from suture.reports.latency_svg import latency_svg

_SVG = "{http://www.w3.org/2000/svg}"


def _distribution(first_s: float, *counts: int) -> Distribution:
    return Distribution(sum(counts), 0, first_s, first_s, first_s, counts)


def _bars(svg: str, colour: str) -> list[tuple[float, float]]:
    """x and height of each bar."""
    found = ElementTree.fromstring(svg).iter(f"{_SVG}rect")
    return [
        (float(one.attrib["x"]), float(one.attrib["height"]))
        for one in found
        if one.get("fill") == colour and one.get("y") != "12"
    ]


def test_the_taller_bar_is_where_more_requests_are_and_slower_is_to_the_right() -> None:
    svg = latency_svg(_distribution(0.001, 1, 3), _distribution(0.01, 4))
    before, after = _bars(svg, "#6b7280"), _bars(svg, "#2563eb")
    assert [height for _, height in before] == pytest.approx([46.5, 139.5])
    assert after[0][1] == 186.0
    assert after[0][0] > before[1][0] > before[0][0]


_Counts = st.lists(st.integers(0, 10_000), min_size=1, max_size=40).filter(any)


@given(_Counts, _Counts, st.integers(-60, 10), st.integers(-60, 10))
def test_every_distribution_gives_a_picture_that_stays_in_its_frame(
    before: list[int], after: list[int], one: int, other: int
) -> None:
    svg = latency_svg(
        _distribution(10 ** (one / 10), *before), _distribution(10 ** (other / 10), *after)
    )
    for colour in ("#6b7280", "#2563eb"):
        for x, height in _bars(svg, colour):
            assert 47 <= x <= 720 and 0 <= height <= 186.05
    assert not re.search(r"nan|inf", svg)
