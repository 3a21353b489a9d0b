"""Since when a finding has been open: a policy's time limits count from there.

A vulnerability is open from the first day on which it was published and the host was seen with the
source package, and as long as it has had it without a break since. Upgrades do not start the count
again: a version that is still open leaves open what it found, and so does a fixed one that nobody
has restarted into. Where only a later version brought the vulnerability, or a fix was taken back,
that day is too early, and the limit is over too soon rather than too late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from suture.core.assessment.fleet_findings import expanded


@dataclass(frozen=True, eq=False)
class Presence:
    """Since when hosts have had the sources that they have.

    ``keys`` are ``host * len(sources) + source``, ascending, by the numbers in ``hosts`` and
    ``sources``; ``days`` belong to them, as ordinals.
    """

    hosts: Mapping[str, int]
    sources: Mapping[str, int]
    keys: NDArray[np.int64]
    days: NDArray[np.int32]

    def days_of(self, host: str) -> bytes:
        """Since when the host has had what it has: the same for hosts with the same sources that
        have had each of them since the same day."""
        number, width = self.hosts.get(host), len(self.sources)
        if number is None:
            return b""
        begin, end = np.searchsorted(self.keys, (number * width, (number + 1) * width))
        return self.days[begin:end].tobytes()

    def open_since(self, asked: Iterable[tuple[str, str, date | None]]) -> list[date | None]:
        """For each host, source and day of publication the first day on which the host had the
        source and the vulnerability was published; None where the host was not seen with it."""
        some = list(asked)
        hosts = np.array([self.hosts.get(host, -1) for host, _, _ in some], np.int64)
        sources = np.array([self.sources.get(source, -1) for _, source, _ in some], np.int64)
        keys = np.where((hosts < 0) | (sources < 0), -1, hosts * len(self.sources) + sources)
        at = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        if not len(self.keys):
            return [None] * len(some)
        days = np.where(self.keys[at] == keys, self.days[at], 0).tolist()
        known = {day: date.fromordinal(day) for day in set(days) if day}
        return [
            None if not day else max(known[day], published) if published else known[day]
            for day, (_, _, published) in zip(days, some, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Observed:
    """What was seen on some hosts, each host's newest observation first.

    Observation ``n`` is of ``host[n]`` from ``day[n]`` on, and found packages of the sources
    ``source[starts[n]:starts[n + 1]]``; hosts and sources are numbers, hosts ascending.
    """

    host: NDArray[np.int64]
    day: NDArray[np.int32]
    starts: NDArray[np.int64]
    source: NDArray[np.int64]


def unbroken(seen: Observed, sources: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """``keys`` and ``days`` of :class:`Presence`, of ``sources`` sources.

    Goes back from the newest observations, of all hosts at once, as long as something stays.
    """
    hosts, first, host = np.unique(seen.host, return_index=True, return_inverse=True)
    depth = np.arange(len(host)) - first[host]
    lengths = np.diff(seen.starts)
    key = np.repeat(host * sources, lengths) + seen.source

    def entries(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return key[expanded(seen.starts[rows], lengths[rows])]

    has = np.zeros(len(hosts) * sources, bool)
    has[entries(first)] = True
    keys = np.flatnonzero(has)
    place = np.full(len(has), -1, np.int32)
    place[keys] = np.arange(len(keys), dtype=np.int32)
    owner, source = np.divmod(keys, max(sources, 1))
    days = seen.day[first[owner]]
    stays = np.ones(len(keys), bool)
    for level in range(1, int(depth.max(initial=0)) + 1):
        rows = np.flatnonzero(depth == level)
        there = np.zeros(len(keys), bool)
        at = place[entries(rows)]
        there[at[at >= 0]] = True
        stays &= there
        if not stays.any():
            break
        days[stays] = seen.day[first[owner[stays]] + level]
    return hosts[owner] * sources + source, days
