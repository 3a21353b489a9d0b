"""Load as it is met in the field, in logarithms of what a window measures: made and recorded."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
Load = Callable[[np.random.Generator, int], Series]
"""``load(random, windows)``: one stretch of it, from a place of its own."""

RECORDINGS = Path(__file__).parent / "recordings"
_WARM_UP = 300


def correlated(random: np.random.Generator, windows: int, *, rho: float, spread: float) -> Series:
    """AR(1): each window keeps ``rho`` of the last one's deviation."""
    noise = random.normal(size=windows + _WARM_UP)
    series = np.empty_like(noise)
    value = 0.0
    for place, shock in enumerate(noise):
        series[place] = value = rho * value + shock
    return np.asarray(series[_WARM_UP:] * (spread * (1 - rho**2) ** 0.5))


def seasonal(random: np.random.Generator, windows: int, *, swing: float) -> Series:
    """A wave of any period from 8 to 1,000 windows and any phase, with correlated noise."""
    period = np.exp(random.uniform(np.log(8), np.log(1000)))
    phase = np.arange(windows) / period + random.random()
    noise = correlated(random, windows, rho=0.5, spread=0.05)
    return np.asarray(noise + swing * np.sin(2 * np.pi * phase))


def bursty(random: np.random.Generator, windows: int, *, height: float) -> Series:
    """Bursts of 3 to 30 windows on average, one in about 60, that double what is measured."""
    series = correlated(random, windows, rho=0.3, spread=0.05)
    length, place = random.uniform(3, 30), random.exponential(60)
    while place < windows:
        end = place + random.exponential(length)
        series[int(place) : int(end) + 1] += height
        place = end + random.exponential(60)
    return series


def shifting(random: np.random.Generator, windows: int, *, spread: float) -> Series:
    """Levels that last for 20 to 120 windows: a neighbour comes and goes."""
    series = correlated(random, windows, rho=0.3, spread=0.05)
    place = 0
    while place < windows:
        end = place + int(random.integers(20, 120))
        series[place:end] += random.normal() * spread
        place = end
    return series


def recorded(values: Series) -> Load:
    """A stretch of a recording, from anywhere in it."""
    logs = np.log(values)

    def load(random: np.random.Generator, windows: int) -> Series:
        start = int(random.integers(0, len(logs) - windows + 1))
        return logs[start : start + windows]

    return load


def made() -> Mapping[str, Load]:
    return {
        "independent": partial(correlated, rho=0.0, spread=0.1),
        "AR(0.5)": partial(correlated, rho=0.5, spread=0.1),
        "AR(0.9)": partial(correlated, rho=0.9, spread=0.1),
        "AR(0.97)": partial(correlated, rho=0.97, spread=0.1),
        "AR(0.9), quiet": partial(correlated, rho=0.9, spread=0.03),
        "seasonal": partial(seasonal, swing=0.2),
        "seasonal, mild": partial(seasonal, swing=0.05),
        "bursty": partial(bursty, height=np.log(2)),
        "shifting": partial(shifting, spread=0.1),
    }


def recordings() -> Mapping[str, Load]:
    """Every column of every recording."""
    found: dict[str, Load] = {}
    for path in sorted(RECORDINGS.glob("*.csv")):
        with path.open(newline="") as file:
            names, *rows = csv.reader(file)
        columns = np.array(rows, dtype=np.float64).T
        for name, values in zip(names, columns, strict=True):
            found[f"{path.stem}: {name}"] = recorded(values)
    return found
