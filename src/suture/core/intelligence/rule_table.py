"""Rules as columns, sorted so that what is open is a slice.

Of one name the rules stand by the rank of their fixed version, so those that leave a package open
are all behind the package's own rank; those without a fix stand last and are always among them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suture.core.intelligence.advisories import FixState, Rule
from suture.core.intelligence.advisory_index import STATES, AdvisoryIndex, Name
from suture.core.intelligence.subjects import Lane
from suture.core.versions import Scheme, is_valid, key, scheme_of

NO_VERSION = -1  # ranks below all
NO_FIX = np.iinfo(np.int32).max

Ranks = NDArray[np.int32]
Group = tuple[str, str, Lane]  # release, name, lane


@dataclass(frozen=True, eq=False)
class RuleTable:
    """The rules of group ``n`` are ``starts[n]:starts[n + 1]`` of the columns, by ascending
    ``fixed``.

    ``fixed`` and ``introduced`` are ranks (see :meth:`rank`). ``archs`` is a place in
    ``arch_sets``, whose first is for all; ``cve`` one in ``cves``, ``state`` one in
    ``advisory_index.STATES``. Rules that say "not affected" leave nothing open, and are there only
    where they go before the rules of another lane.
    """

    groups: Mapping[Group, int]
    starts: NDArray[np.int64]
    fixed: Ranks
    introduced: Ranks
    archs: NDArray[np.int32]
    arch_sets: Sequence[tuple[str, ...]]
    cve: NDArray[np.int32]
    cves: Sequence[str]
    state: NDArray[np.int8]
    keys: Mapping[Scheme, Sequence[bytes]]

    def rank(self, version: str, scheme: Scheme) -> int:
        """Where a version stands among those that the rules name: even where it is one of them,
        odd between two, ``NO_VERSION`` where it is none."""
        if not is_valid(version, scheme):
            return NO_VERSION
        wanted, keys = key(version, scheme), self.keys[scheme]
        at = bisect_left(keys, wanted)
        return 2 * at + 2 if at < len(keys) and keys[at] == wanted else 2 * at + 1

    def open_from(self, groups: NDArray[np.int64], ranks: Ranks) -> NDArray[np.int64]:
        """For each (group, rank) the first rule that a package of that rank leaves open; all
        others of the group from there on are open too."""
        span = np.int64(NO_FIX) + 1
        ordered = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts)) * span
        return np.searchsorted(ordered + self.fixed, groups * span + ranks, side="right")


def rule_table(index: AdvisoryIndex, names: Collection[Name] | None = None) -> RuleTable:
    """All rules of ``index``, or those about ``names``."""
    grouped = dict(_grouped(index, names))
    rules = [rule for some in grouped.values() for rule in some]
    schemes = {release: scheme_of(release) for release, _, _ in grouped}
    keys = {scheme: _keys(rules, schemes, scheme) for scheme in Scheme}
    ranks = {
        scheme: {one: 2 * n + 2 for n, one in enumerate(some)} for scheme, some in keys.items()
    }
    arch_sets: dict[tuple[str, ...], int] = {(): 0}
    cves: dict[str, int] = {}
    columns = np.empty((6, len(rules)), np.int32)
    columns[0] = np.repeat(np.arange(len(grouped)), [len(some) for some in grouped.values()])
    for n, rule in enumerate(rules):
        scheme = schemes[rule.release]
        known = ranks[scheme]
        without = NO_VERSION if rule.state is FixState.NOT_AFFECTED else NO_FIX
        columns[1:, n] = (
            known[key(rule.fixed, scheme)] if rule.fixed else without,
            known[key(rule.introduced, scheme)] if rule.introduced else NO_VERSION,
            arch_sets.setdefault(rule.archs, len(arch_sets)),
            cves.setdefault(rule.cve, len(cves)),
            STATES.index(rule.state),
        )
    columns = columns[:, np.lexsort((columns[1], columns[0]))]
    group, fixed, introduced, archs, cve, state = columns
    return RuleTable(
        groups={one: number for number, one in enumerate(grouped)},
        starts=np.searchsorted(group, np.arange(len(grouped) + 1)),
        fixed=fixed,
        introduced=introduced,
        archs=archs,
        arch_sets=tuple(arch_sets),
        cve=cve,
        cves=tuple(cves),
        state=state.astype(np.int8),
        keys=keys,
    )


def _grouped(
    index: AdvisoryIndex, names: Collection[Name] | None
) -> Iterator[tuple[Group, list[Rule]]]:
    """The rules that leave something open, or are asked before those of another lane."""
    lanes = tuple(index.lanes(names))
    by_source = {release for (release, _), lane, _ in lanes if lane.by_source}
    for (release, package), lane, by_cve in lanes:
        is_first = bool(lane.build) or (release in by_source and not lane.by_source)
        rules = [
            rule
            for some in by_cve.values()
            for rule in some
            if is_first or rule.state is not FixState.NOT_AFFECTED
        ]
        if rules:
            yield (release, package, lane), rules


def _keys(rules: Iterable[Rule], schemes: Mapping[str, Scheme], scheme: Scheme) -> list[bytes]:
    """The keys of all versions that rules of ``scheme`` name, in order, each once."""
    named = {
        version
        for rule in rules
        if schemes[rule.release] is scheme
        for version in (rule.fixed, rule.introduced)
        if version
    }
    return sorted({key(version, scheme) for version in named})
