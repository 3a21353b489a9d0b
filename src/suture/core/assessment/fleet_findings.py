"""What is open on a fleet, folded: most hosts share what they have of a source.

A **row** is all that is open in one source on some host: a set of elements, each a vulnerability
of a source in a state. A host is a few hundred rows; ten thousand hosts share some ten thousand of
them, where unfolded findings would be tens of millions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from suture.core.documents import Document
from suture.core.intelligence.advisories import FixState
from suture.core.intelligence.advisory_index import STATES

Ids = NDArray[np.int32]
Starts = NDArray[np.int64]
Counts = NDArray[np.int64]


class OpenOnDisk(Document, frozen=True, order=True):
    """One vulnerability in one source package; ``state`` is what the publisher says of a fix."""

    cve: str
    source: str
    state: FixState


@dataclass(frozen=True, eq=False)
class FleetFindings:
    """The rows of host ``n`` are ``rows[starts[n]:starts[n + 1]]``, one a source; the elements of
    row ``r`` are ``elements[row_starts[r]:row_starts[r + 1]]``.

    ``cve_of``, ``source_of`` and ``state_of`` belong to elements: places in ``cves``, ``sources``
    and ``advisory_index.STATES``. ``row_sources`` is each row's source.
    """

    hosts: Sequence[str]
    starts: Starts
    rows: Ids
    row_starts: Starts
    row_sources: Ids
    elements: Ids
    cve_of: Ids
    source_of: Ids
    state_of: NDArray[np.int8]
    cves: Sequence[str]
    sources: Sequence[str]

    def __len__(self) -> int:
        """The number of findings."""
        return int(self._row_lengths[self.rows].sum())

    def of_host(self, number: int) -> Iterator[OpenOnDisk]:
        """The findings of host ``number``."""
        for row in self.rows[self.starts[number] : self.starts[number + 1]]:
            yield from self.of_row(int(row))

    def of_row(self, row: int) -> Iterator[OpenOnDisk]:
        for element in self.elements[self.row_starts[row] : self.row_starts[row + 1]]:
            yield OpenOnDisk(
                cve=self.cves[self.cve_of[element]],
                source=self.sources[self.source_of[element]],
                state=STATES[self.state_of[element]],
            )

    def by_host(self) -> Counts:
        """Findings by host (first axis) and state (second)."""
        row_of = np.repeat(np.arange(len(self.row_starts) - 1), self._row_lengths)
        in_row = _counted(row_of, self.state_of[self.elements], len(self.row_starts) - 1)
        sums = np.zeros((len(self.hosts), len(STATES)), np.int64)
        for state in np.flatnonzero(in_row.any(axis=0)):
            running = np.concatenate(([0], np.cumsum(in_row[self.rows, state])))
            sums[:, state] = np.diff(running[self.starts])
        return sums

    def by_cve(self) -> Counts:
        """Findings by CVE (first axis, as in ``cves``) and state (second)."""
        hosts = np.bincount(self.rows, minlength=len(self.row_starts) - 1)
        each = np.repeat(hosts, self._row_lengths)
        return _counted(
            self.cve_of[self.elements], self.state_of[self.elements], len(self.cves), each
        )

    def touched_by(self, cve: str) -> Ids:
        """The numbers of the hosts on which ``cve`` is open, ascending."""
        at = self._cve_numbers.get(cve)
        if at is None:
            return np.empty(0, np.int32)
        rows = _slices(self._rows_by_cve, np.array([at], np.int32))
        return np.unique(_slices(self._hosts_by_row, rows))

    def new_since(self, before: FleetFindings) -> Iterator[tuple[str, str, Ids]]:
        """Each CVE in each source package with the numbers of the hosts on which it is open there
        and was not ``before``, ascending. The hosts are the same in both.

        What a host has of a source is a row before and a row now, and most hosts share the two.
        """
        hosts, was = self._host_of_each, self._rows_in(before)
        changes, change_of = np.unique(
            (was + 1) * len(self.row_sources) + self.rows, return_inverse=True
        )
        hosts_by_change = _inverted(change_of, hosts, len(changes))
        found: dict[tuple[str, str], list[Ids]] = {}
        for number, change in enumerate(changes.tolist()):
            old, row = divmod(change, len(self.row_sources))
            new = self._cves_of(row) - (before._cves_of(old - 1) if old else set())
            for cve in new:
                there = _slices(hosts_by_change, np.array([number], np.int32))
                found.setdefault((cve, self.sources[self.row_sources[row]]), []).append(there)
        for (cve, source), parts in found.items():
            yield cve, source, np.sort(np.concatenate(parts))

    def _rows_in(self, before: FleetFindings) -> NDArray[np.int64]:
        """For each of the ``rows`` that of ``before`` of the same host and source, -1 for none."""
        number_of = {source: number for number, source in enumerate(self.sources)}
        numbers = np.array([number_of.get(source, -1) for source in before.sources], np.int64)
        source_of = numbers[before.row_sources[before.rows]]
        known = np.flatnonzero(source_of >= 0)
        then = before._host_of_each[known].astype(np.int64) * len(self.sources) + source_of[known]
        now = self._host_of_each.astype(np.int64) * len(self.sources)
        now += self.row_sources[self.rows]
        order = np.argsort(then, kind="stable")
        then = then[order]
        at = np.searchsorted(then, now)
        inside = np.flatnonzero(at < len(then))
        same = inside[then[at[inside]] == now[inside]]
        found = np.full(len(now), -1, np.int64)
        found[same] = before.rows[known[order[at[same]]]]
        return found

    def _cves_of(self, row: int) -> set[str]:
        elements = self.elements[self.row_starts[row] : self.row_starts[row + 1]]
        return {self.cves[cve] for cve in self.cve_of[elements].tolist()}

    def prepare(self) -> None:
        """Build what :meth:`touched_by` looks up, which it does itself at the first question."""
        _ = self._cve_numbers, self._rows_by_cve, self._hosts_by_row

    @cached_property
    def _row_lengths(self) -> Counts:
        return np.diff(self.row_starts)

    @cached_property
    def _cve_numbers(self) -> dict[str, int]:
        return {cve: number for number, cve in enumerate(self.cves)}

    @cached_property
    def _row_of_each(self) -> Ids:
        """The row of each of the ``elements``."""
        return np.repeat(np.arange(len(self.row_starts) - 1, dtype=np.int32), self._row_lengths)

    @cached_property
    def _rows_by_cve(self) -> tuple[Starts, Ids]:
        return _inverted(self.cve_of[self.elements], self._row_of_each, len(self.cves))

    @cached_property
    def _host_of_each(self) -> Ids:
        """The host of each of the ``rows``."""
        return np.repeat(np.arange(len(self.hosts), dtype=np.int32), np.diff(self.starts))

    @cached_property
    def _hosts_by_row(self) -> tuple[Starts, Ids]:
        return _inverted(self.rows, self._host_of_each, len(self.row_starts) - 1)


def expanded(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of all slices ``start:start + length``, one behind the other."""
    total = int(lengths.sum())
    before = np.cumsum(lengths) - lengths
    slices: NDArray[np.int64] = np.arange(total) + np.repeat(starts - before, lengths)
    return slices


def _slices(csr: tuple[Starts, Ids], of: Ids) -> Ids:
    starts, values = csr
    return values[expanded(starts[of], starts[of + 1] - starts[of])]


def _inverted(keys: Ids, values: Ids, count: int) -> tuple[Starts, Ids]:
    """The values of each key."""
    starts = np.concatenate(([0], np.cumsum(np.bincount(keys, minlength=count))))
    return starts, values[np.argsort(keys, kind="stable")]


def _counted(
    first: NDArray[np.integer],
    states: NDArray[np.int8],
    length: int,
    weights: NDArray[np.int64] | None = None,
) -> Counts:
    both = first.astype(np.int64) * len(STATES) + states
    counts = np.bincount(both, weights, minlength=length * len(STATES))
    return counts.reshape(length, len(STATES)).astype(np.int64)
