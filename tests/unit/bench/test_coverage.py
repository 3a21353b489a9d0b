"""What the benchmark of the ranking computes from an order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.coverage import area, coverage, effort_for, interval, overlap, places, resampled

SCORES = np.array([5.0, 1.0, 4.0, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0])


def test_the_best_order_finds_the_first_with_the_least_effort() -> None:
    found = places(SCORES, np.array([0, 2]))
    assert found.tolist() == [[0.0, 0.1], [0.1, 0.2]]
    assert [coverage(found, effort) for effort in (0.0, 0.1, 0.15, 0.2, 1.0)] == pytest.approx(
        [0, 0.5, 0.75, 1, 1]
    )
    assert effort_for(found, 0.5) == 0.1
    assert area(found) == pytest.approx(0.9)


def test_equal_scores_are_taken_in_any_order() -> None:
    found = places(SCORES, np.array([7]))
    assert found.tolist() == [[0.5, 1.0]]
    assert coverage(found, 0.75) == pytest.approx(0.5)
    nothing = places(np.zeros(10), np.array([3, 4]))
    assert (coverage(nothing, 0.3), area(nothing)) == pytest.approx((0.3, 0.5))
    assert effort_for(nothing, 0.8) == 0.8


@given(
    st.lists(st.integers(0, 5), min_size=2, max_size=40),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_more_effort_never_covers_less(scores: list[int], one: float, other: float) -> None:
    found = places(np.array(scores, np.float64), np.arange(len(scores) // 2))
    low, high = sorted((one, other))
    assert 0 <= coverage(found, low) <= coverage(found, high) <= 1
    assert coverage(found, effort_for(found, low)) >= low - 1e-6


def test_an_interval_holds_its_value_and_is_the_same_every_time() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(500)
    good, bad = places(scores, np.argsort(-scores)[:50]), places(scores, np.arange(50))
    samples = resampled([good, bad], 200, area)
    assert np.array_equal(samples, resampled([good, bad], 200, area))
    ours, theirs = interval(area(good), samples[:, 0]), interval(area(bad), samples[:, 1])
    assert ours[0] <= ours[1] <= ours[2]
    assert not overlap(ours, theirs)
    assert overlap(ours, ours)
