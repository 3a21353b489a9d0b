"""Package sets of a whole fleet held against all rules at once.

Each distinct package of a release is judged once: its rank among the fixed versions of its name
tells what it leaves open. Hosts then only look up what their packages leave open, source by
source. The answer is that of :func:`suture.core.assessment.matching.match` on each host, as far
as it depends on what is on disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suture.core.assessment.fleet import Fleet
from suture.core.assessment.fleet_findings import FleetFindings, expanded
from suture.core.intelligence.advisory_index import STATES, Name
from suture.core.intelligence.rule_table import NO_VERSION, RuleTable
from suture.core.intelligence.subjects import names, on_arch, tiers
from suture.core.versions import scheme_of

_HOSTS_AT_ONCE = 2000  # bounds the memory of what is worked out between
_TIERS = 6  # at most so many has a package

Ids = NDArray[np.int32]


def match_fleet(fleet: Fleet, table: RuleTable) -> FleetFindings:
    """All that is open on disk."""
    pairs = _Pairs(fleet)
    return _found(pairs, table, pairs.used())


def names_beside(fleet: Fleet, changed: Collection[Name]) -> set[Name]:
    """All that decides about sources which have a package of a ``changed`` name: what is said
    about one of their packages may go before what is said about another name of it."""
    pairs = _Pairs(fleet)
    used = pairs.used()
    return pairs.names(used[_touched(pairs, changed)[pairs.sources(used)]])


def _touched(pairs: _Pairs, changed: Collection[Name]) -> NDArray[np.bool_]:
    """By release and source, whether a package of it has a ``changed`` name."""
    packages = pairs.fleet.packages
    touched = np.zeros((len(pairs.releases), len(packages)), bool)
    for number, release in enumerate(pairs.releases):
        wanted = {name for of, name in changed if of == release}
        if wanted:
            scheme = scheme_of(release)
            named = [not wanted.isdisjoint(names(package, scheme)) for package in packages]
            touched[number, pairs.source_of[named]] = True
    return touched


def _numbered(values: Iterable[str]) -> Iterator[int]:
    """Each distinct value's number, in the order in which they come first."""
    numbers: dict[str, int] = {}
    return (numbers.setdefault(value, len(numbers)) for value in values)


class _Pairs:
    """Numbers of (release, package): ``release * len(packages) + package``. Hosts that stay on a
    minor release count as of a release of their own."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        count = len(fleet.releases)
        kinds = tuple(zip(fleet.releases, fleet.streams or ("",) * count, strict=True))
        numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
        self.releases = tuple(release for release, _ in numbers)
        self.streams = tuple(stream for _, stream in numbers)
        self.release_of = np.fromiter((numbers[one] for one in kinds), np.int64, count)
        self.count = len(self.releases) * len(fleet.packages)
        packages = len(fleet.packages)
        sources = _numbered(package.source for package in fleet.packages)
        self.source_of = np.fromiter(sources, np.int64, packages)

    def by_host(self) -> Iterator[tuple[int, int, Ids, Ids]]:
        """Some hosts at a time: the first, the one after the last, and for each of their packages
        the host (counted from the first) and the pair."""
        starts, packages = self.fleet.starts, len(self.fleet.packages)
        for first in range(0, len(self.fleet.hosts), _HOSTS_AT_ONCE):
            after = min(first + _HOSTS_AT_ONCE, len(self.fleet.hosts))
            lengths = np.diff(starts[first : after + 1])
            offsets = (self.release_of[first:after] * packages).astype(np.int32)
            pair = self.fleet.ids[starts[first] : starts[after]] + np.repeat(offsets, lengths)
            yield first, after, np.repeat(np.arange(after - first, dtype=np.int32), lengths), pair

    def used(self) -> Ids:
        """The pairs that some host has."""
        seen = np.zeros(self.count, bool)
        for _, _, _, pair in self.by_host():
            seen[pair] = True
        return np.flatnonzero(seen).astype(np.int32)

    def sources(self, pairs: Ids) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The numbers of release and source of each pair."""
        release, place = np.divmod(pairs, max(len(self.fleet.packages), 1))
        return release, self.source_of[place]

    def names(self, pairs: Ids) -> set[Name]:
        """What rules may call the packages of ``pairs``."""
        schemes = [scheme_of(release) for release in self.releases]
        packages = self.fleet.packages
        return {
            (self.releases[number], name)
            for number, place in (divmod(pair, len(packages)) for pair in pairs.tolist())
            for name in names(packages[place], schemes[number])
        }


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Pairs with a group of rules that is about them, one for each of their subjects that has
    one; ``tier`` counts from the most exact."""

    pair: Ids
    group: NDArray[np.int64]
    rank: Ids
    arch: Ids
    tier: Ids
    archs: tuple[str, ...]


def _candidates(pairs: _Pairs, table: RuleTable, used: Ids) -> _Candidates:
    archs: dict[str, int] = {}
    found: list[tuple[int, int, int, int, int]] = []
    packages = pairs.fleet.packages
    schemes = [scheme_of(release) for release in pairs.releases]
    ruled = {(release, name) for release, name, _ in table.groups}
    for pair in used.tolist():
        number, place = divmod(pair, len(packages))
        package, release, scheme = packages[place], pairs.releases[number], schemes[number]
        if (release, package.source) not in ruled and (release, package.name) not in ruled:
            continue
        for tier, subjects in enumerate(tiers(package, scheme, pairs.streams[number])):
            for name, version, lane in subjects:
                group = table.groups.get((release, name, lane))
                if group is not None:
                    arch = archs.setdefault(package.arch, len(archs))
                    found.append((pair, group, table.rank(version, scheme), arch, tier))
    pair_of, group_of, rank, arch_of, tier_of = np.array(found, np.int64).reshape(-1, 5).T
    return _Candidates(
        pair_of.astype(np.int32),
        group_of,
        rank.astype(np.int32),
        arch_of.astype(np.int32),
        tier_of.astype(np.int32),
        tuple(archs),
    )


_Said = tuple[NDArray[np.int64], NDArray[np.int64]]  # candidate, rule


def _open_rules(table: RuleTable, some: _Candidates) -> _Said:
    """All that is open."""
    first = table.open_from(some.group, some.rank)
    said = _concerned(table, some, np.arange(len(first)), first)
    return _unanswered(table, some, said)


def _concerned(
    table: RuleTable, some: _Candidates, which: NDArray[np.int64], first: NDArray[np.int64]
) -> _Said:
    """The rules of each candidate's group, from its ``first`` on, that are about its package."""
    lengths = table.starts[some.group[which] + 1] - first
    candidate = np.repeat(which, lengths)
    rule = expanded(first, lengths)
    rank = some.rank[candidate]
    concerned = (table.introduced[rule] <= rank) | (rank == NO_VERSION)
    if len(table.arch_sets) > 1:
        on = [[on_arch(archs, arch) for arch in some.archs] for archs in table.arch_sets]
        concerned &= np.array(on, bool)[table.archs[rule], some.arch[candidate]]
    return candidate[concerned], rule[concerned]


def _unanswered(table: RuleTable, some: _Candidates, open_: _Said) -> _Said:
    """Of what is open that of which no earlier tier of the package says anything."""
    candidate, rule = open_
    late = some.tier[candidate] > 0
    if not late.any():
        return open_
    pairs = np.unique(some.pair[candidate[late]])
    asked = np.flatnonzero(np.isin(some.pair, pairs))
    all_said = _concerned(table, some, asked, table.starts[some.group[asked]])
    said = np.sort(_packed(table, some, all_said))
    mine = _packed(table, some, (candidate[late], rule[late]))
    earliest = said[np.searchsorted(said, mine - mine % _TIERS)]
    kept = ~late
    kept[late] = earliest == mine
    return candidate[kept], rule[kept]


def _packed(table: RuleTable, some: _Candidates, said: _Said) -> NDArray[np.int64]:
    """(pair, CVE, tier) as one number."""
    candidate, rule = said
    vulnerability = some.pair[candidate].astype(np.int64) * len(table.cves) + table.cve[rule]
    return vulnerability * _TIERS + some.tier[candidate]


class _Rows:
    """Sets of elements, each once; a set is sorted (source, CVE, state) numbers, packed.

    Of several states of one vulnerability the first in ``STATES`` stands.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._contents: list[NDArray[np.int64]] = []
        self._unions: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self._contents)

    def add(self, elements: NDArray[np.int64]) -> int:
        content = elements.tobytes()
        number = self._numbers.setdefault(content, len(self._contents))
        if number == len(self._contents):
            self._contents.append(elements)
        return number

    def union(self, one: int, other: int) -> int:
        known = self._unions.get((one, other))
        if known is None:
            both = np.union1d(self._contents[one], self._contents[other])
            known = self._unions[one, other] = self.add(_strongest(both))
        return known

    def unions(self, ones: Ids, others: Ids) -> Ids:
        """Element by element; few of them are distinct."""
        span = len(self)
        distinct, place = np.unique(ones.astype(np.int64) * span + others, return_inverse=True)
        made = [self.union(*divmod(both, span)) for both in distinct.tolist()]
        return np.array(made, np.int32)[place]

    def contents(self) -> list[NDArray[np.int64]]:
        return self._contents


def _strongest(elements: NDArray[np.int64]) -> NDArray[np.int64]:
    """Without the weaker states of a vulnerability that stands there in a stronger one."""
    vulnerability = elements // len(STATES)
    return elements[np.concatenate(([True], vulnerability[1:] != vulnerability[:-1]))]


def _found(pairs: _Pairs, table: RuleTable, used: Ids) -> FleetFindings:
    """What is open in the packages of ``used`` pairs."""
    fleet = pairs.fleet
    some = _candidates(pairs, table, used)
    candidate, rule = _open_rules(table, some)
    pair = some.pair[candidate]
    packed = pairs.source_of[pair % len(fleet.packages)] * len(table.cves) + table.cve[rule]
    rows, row_of = _rows(pairs.count, pair, packed * len(STATES) + table.state[rule])
    starts, host_rows = _host_rows(pairs, rows, row_of)
    sources = tuple(dict.fromkeys(package.source for package in fleet.packages))
    return _folded(fleet, table, starts, host_rows, rows, sources)


def _rows(count: int, pair: Ids, packed: NDArray[np.int64]) -> tuple[_Rows, Ids]:
    """The rows, and for each pair its row, -1 where nothing is open."""
    ordered = np.lexsort((packed, pair))
    pair, packed = pair[ordered], packed[ordered]
    firsts = np.flatnonzero(np.concatenate(([True], pair[1:] != pair[:-1]))[: len(pair)])
    rows, row_of = _Rows(), np.full(count, -1, np.int32)
    for elements, one in zip(np.split(packed, firsts[1:]), pair[firsts].tolist(), strict=False):
        row_of[one] = rows.add(_strongest(elements))
    return rows, row_of


def _host_rows(pairs: _Pairs, rows: _Rows, row_of: Ids) -> tuple[NDArray[np.int64], Ids]:
    """Each host's rows, one a source: the union of what its packages of that source leave open."""
    packages = len(pairs.fleet.packages)
    with_row = np.flatnonzero(row_of >= 0)
    open_sources, place = np.unique(pairs.source_of[with_row % packages], return_inverse=True)
    place_of = np.zeros(pairs.count, np.int32)
    place_of[with_row] = place
    lengths = np.zeros(len(pairs.fleet.hosts) + 1, np.int64)
    collected = [np.empty(0, np.int32)]
    for first, after, host, pair in pairs.by_host():
        row = row_of[pair]
        is_open = row >= 0
        slot = host[is_open].astype(np.int64) * len(open_sources) + place_of[pair[is_open]]
        slots = np.full((after - first) * len(open_sources), -1, np.int32)
        _fill(slots, slot, row[is_open], rows)
        filled = slots.reshape(after - first, len(open_sources)) >= 0
        lengths[first + 1 : after + 1] = filled.sum(axis=1)
        collected.append(slots[slots >= 0])
    return np.cumsum(lengths), np.concatenate(collected)


def _fill(slots: Ids, slot: NDArray[np.int64], row: Ids, rows: _Rows) -> None:
    """Put each row into its slot; where several meet, their union."""
    slots[slot] = row
    while len(slot):
        differs = slots[slot] != row
        slot, row = slot[differs], row[differs]
        both = rows.unions(slots[slot], row)
        grown = both != slots[slot]
        slot, row = slot[grown], row[grown]
        slots[slot] = both[grown]


def _folded(
    fleet: Fleet,
    table: RuleTable,
    starts: NDArray[np.int64],
    host_rows: Ids,
    rows: _Rows,
    sources: tuple[str, ...],
) -> FleetFindings:
    contents = rows.contents()
    lengths = np.fromiter(map(len, contents), np.int64, len(contents))
    packed, elements = np.unique(
        np.concatenate((np.empty(0, np.int64), *contents)), return_inverse=True
    )
    vulnerability, state = np.divmod(packed, len(STATES))
    source, cve = np.divmod(vulnerability, max(len(table.cves), 1))
    row_starts = np.concatenate(([0], np.cumsum(lengths)))
    return FleetFindings(
        hosts=fleet.hosts,
        starts=starts,
        rows=host_rows,
        row_starts=row_starts,
        row_sources=source[elements[row_starts[:-1]]].astype(np.int32),
        elements=elements.astype(np.int32),
        cve_of=cve.astype(np.int32),
        source_of=source.astype(np.int32),
        state_of=state.astype(np.int8),
        cves=table.cves,
        sources=sources,
    )
