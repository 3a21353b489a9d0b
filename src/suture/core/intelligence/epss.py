"""EPSS scores of one day, all CVEs together: columns, for there are hundreds of thousands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from suture.core.intelligence.enrichment import Epss


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """All scores of one ``day``; ``model`` is the version of the model that made them, empty
    where the publisher does not say.

    ``cves`` are ASCII bytes in ascending order, each once. ``probabilities`` and ``percentiles``
    belong to them and are from 0 to 1; a percentile that is not known is NaN.
    """

    day: date
    model: str
    cves: NDArray[np.bytes_]
    probabilities: NDArray[np.float64]
    percentiles: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.cves)

    def get(self, cve: str) -> Epss | None:
        """The score of one CVE, None where it has none."""
        if not cve.isascii():
            return None
        wanted = cve.encode()
        at = int(np.searchsorted(self.cves, np.bytes_(wanted)))
        if at == len(self.cves) or self.cves[at] != wanted:
            return None
        percentile = float(self.percentiles[at])
        return Epss(
            probability=float(self.probabilities[at]),
            percentile=None if np.isnan(percentile) else percentile,
            day=self.day,
        )
