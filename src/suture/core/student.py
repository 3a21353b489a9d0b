"""Student's t distribution: the one thing of a statistics library that verdicts need."""

from __future__ import annotations

import math
from functools import cache


def probability(t: float, freedom: int) -> float:
    """That a value lies below ``t``, for a whole number of degrees of freedom.

    Exact finite sums: Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """
    angle = math.atan2(t, math.sqrt(freedom))
    square = math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = term if freedom > 1 else 0.0
    for step in range(2 + odd, freedom, 2):
        term *= square * (step - 1) / step
        total += term
    share = math.sin(angle) * total
    return 0.5 + (angle + share) / math.pi if odd else 0.5 + share / 2


@cache
def quantile(p: float, freedom: int) -> float:
    """The value that lies above a share ``p`` of all; ``p`` from 0.5 on and below 1."""
    if not 0.5 <= p < 1 or freedom < 1:
        raise ValueError(f"no quantile at {p} with {freedom} degrees of freedom")
    low, high = 0.0, 1.0
    while probability(high, freedom) < p:
        high *= 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle, freedom) < p else (low, middle)
    return high
