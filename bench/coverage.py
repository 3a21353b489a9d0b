"""How good an order is at putting in front what turns out to matter, with its uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

Places = Numbers
"""One row for each thing that mattered: the first and the last place, as shares of the whole
order, of those with the same score."""

Measure = Callable[[Places], float]
Interval = tuple[float, float, float]
"""The low end, the value itself, and the high end."""


def places(scores: Numbers, of: NDArray[np.int64]) -> Places:
    """Where ``of`` stand among ``scores``, the highest first."""
    ascending = np.sort(-scores)
    first = np.searchsorted(ascending, -scores[of], "left")
    last = np.searchsorted(ascending, -scores[of], "right")
    return np.stack([first, last], axis=1) / len(scores)


def coverage(found: Places, effort: float) -> float:
    """The share that is reached with ``effort``, on average over the orders of equal scores."""
    first, last = found[:, 0], found[:, 1]
    return float(np.mean(np.clip((effort - first) / (last - first), 0, 1)))


def effort_for(found: Places, share: float) -> float:
    """The least effort, to a thousandth, that reaches ``share``."""
    low, high = 0, 1000
    while low < high:
        middle = (low + high) // 2
        if coverage(found, middle / 1000) >= share - 1e-9:
            high = middle
        else:
            low = middle + 1
    return low / 1000


def area(found: Places) -> float:
    """The area under the curve of coverage over effort; 0.5 for no order at all."""
    return float(1 - np.mean(found))


def resampled(orders: Sequence[Places], runs: int, measure: Measure) -> Numbers:
    """The measure of each order (columns) on the same ``runs`` resamplings of what mattered."""
    rng = np.random.default_rng(2026)
    count = len(orders[0])
    samples = rng.integers(0, count, size=(runs, count))
    return np.array([[measure(one[sample]) for one in orders] for sample in samples])


def interval(value: float, samples: Numbers) -> Interval:
    """The middle 95 % of ``samples`` around ``value``."""
    low, high = np.quantile(samples, (0.025, 0.975))
    return min(float(low), value), value, max(float(high), value)


def overlap(one: Interval, other: Interval) -> bool:
    return one[0] <= other[2] and other[0] <= one[2]
