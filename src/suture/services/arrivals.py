"""What a synced feed newly opens on the fleet; no host is contacted for it.

Only the names of which the feed says something else are held against the fleet again, once with
what was known before and once with what is known now.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from suture.core.assessment.fleet import Fleet
from suture.core.assessment.fleet_matching import match_fleet, names_beside
from suture.core.documents import Document
from suture.core.intelligence.advisory_index import Name
from suture.core.intelligence.rule_table import rule_table
from suture.services.collecting import clock
from suture.services.knowledge import known_about
from suture.store import events, fleet_columns, records
from suture.store.database import Store, query_of

_NAMED = 50  # hosts that an event names; it counts all
_NOWHERE = np.empty(0, np.int32)

Open = dict[tuple[str, str], NDArray[np.int32]]
"""(CVE, source package) → the numbers of the hosts on which it is open."""


class Arrival(Document, frozen=True):
    """A vulnerability that the feed newly opens: in which sources, on how many hosts."""

    cve: str
    sources: tuple[str, ...]
    hosts: int
    named: tuple[str, ...]


def note(store: Store, feed: str, synced_at: datetime) -> tuple[Arrival, ...]:
    """Log an event for each CVE that is open now and was not before ``feed`` was synced at
    ``synced_at``; answers them, those on most hosts first."""
    with store.read() as connection:
        fleet = fleet_columns.fleet(query_of(connection))
        releases = set(fleet.releases)
        changed = {
            (affected.release, affected.package)
            for advisory in records.changed(connection, feed, synced_at, releases)
            for affected in advisory.affected
        }
    if not changed:
        return ()
    names = names_beside(fleet, changed)
    before = _open(store, fleet, names, synced_at - timedelta(microseconds=1))
    arrived = _arrived(fleet.hosts, before, _open(store, fleet, names, None))
    with store.begin() as connection:
        for one in arrived:
            events.append(connection, at=clock(), kind="finding.new", subject=one.cve, data=one)
    return arrived


def _open(store: Store, fleet: Fleet, names: Collection[Name], known_at: datetime | None) -> Open:
    """All that is open on disk in ``names``."""
    releases = {release for release, _ in names}
    known = known_about(store, releases, now=clock(), known_at=known_at, names=names)
    found: Open = {}
    for cve, source, hosts in match_fleet(fleet, rule_table(known.index)).hosts_of_each():
        also = found.get((cve, source), _NOWHERE)
        found[cve, source] = np.union1d(also, hosts)
    return found


def _arrived(hosts: Sequence[str], before: Open, now: Open) -> tuple[Arrival, ...]:
    by_cve: dict[str, tuple[set[str], set[int]]] = {}
    for (cve, source), there in now.items():
        new = np.setdiff1d(there, before.get((cve, source), _NOWHERE), assume_unique=True)
        if len(new):
            sources, numbers = by_cve.setdefault(cve, (set(), set()))
            sources.add(source)
            numbers.update(new.tolist())
    made = []
    for cve, (sources, numbers) in by_cve.items():
        named = tuple(sorted(hosts[number] for number in numbers)[:_NAMED])
        made.append(Arrival(cve, tuple(sorted(sources)), len(numbers), named))
    return tuple(sorted(made, key=lambda one: (-one.hosts, one.cve)))
