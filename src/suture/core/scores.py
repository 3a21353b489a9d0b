"""EPSS scores of all CVEs on one day, as arrays: 360,000 are read, kept and asked at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from suture.core.enrichment import Epss

_CVE = re.compile(r"CVE-([0-9]{4})-([0-9]{4,10})")
_YEAR = 10**10


@dataclass(frozen=True)
class ScoreTable:
    """The scores of ``day`` by the ``model`` of that version.

    ``cves`` are numbers as :func:`number` makes them, int64 and ascending; ``probabilities`` and
    ``percentiles`` are float32 from 0 to 1 beside them, a percentile NaN where none is given.
    """

    day: date
    model: str
    cves: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    percentiles: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.cves)

    def find(self, cves: Iterable[str]) -> dict[str, Epss]:
        """The scores of those of ``cves`` that have one."""
        asked = [(cve, value) for cve in cves if (value := number(cve)) is not None]
        if not asked or not len(self.cves):
            return {}
        values = np.array([value for _, value in asked], dtype=np.int64)
        places = np.minimum(np.searchsorted(self.cves, values), len(self.cves) - 1)
        found = self.cves[places] == values
        return {
            cve: self._at(int(place))
            for (cve, _), place, there in zip(asked, places, found, strict=True)
            if there
        }

    def _at(self, place: int) -> Epss:
        percentile = float(self.percentiles[place])
        return Epss(
            probability=round(float(self.probabilities[place]), 6),
            percentile=None if np.isnan(percentile) else round(percentile, 6),
            day=self.day,
        )


def number(cve: str) -> int | None:
    """``CVE-2024-1234`` as one number that sorts like it, None for what is no CVE."""
    match = _CVE.fullmatch(cve)
    return int(match[1]) * _YEAR + int(match[2]) if match else None


def table(day: date, model: str, scores: Iterable[tuple[str, float, float | None]]) -> ScoreTable:
    """From (CVE, probability, percentile); without what is no CVE, of doubles the last."""
    by_number = {
        value: (probability, np.nan if percentile is None else percentile)
        for cve, probability, percentile in scores
        if (value := number(cve)) is not None
    }
    cves = np.array(sorted(by_number), dtype=np.int64)
    pairs = np.array([by_number[int(one)] for one in cves], dtype=np.float32).reshape(-1, 2)
    return ScoreTable(day, model, cves, pairs[:, 0].copy(), pairs[:, 1].copy())
