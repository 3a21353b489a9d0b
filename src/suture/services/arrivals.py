"""What a synced feed newly opens on the fleet; no host is contacted for it.

Only the names of which the feed says something else are held against the fleet again, once with
what was known before and once with what is known now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from suture.core.assessment.fleet_findings import Ids
from suture.core.assessment.fleet_matching import match_fleet, names_beside
from suture.core.documents import Document
from suture.core.intelligence.rule_table import rule_table
from suture.services.collecting import clock
from suture.services.knowledge import before_and_now
from suture.store import events, fleet_columns, records
from suture.store.database import Store, query_of

_NAMED = 50  # hosts that an event names; it counts all


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
    before, now = (
        match_fleet(fleet, rule_table(index))
        for index in before_and_now(store, synced_at, names_beside(fleet, changed))
    )
    arrived = _arrived(now.hosts, now.new_since(before))
    with store.begin() as connection:
        for one in arrived:
            events.append(connection, at=clock(), kind="finding.new", subject=one.cve, data=one)
    return arrived


def _arrived(hosts: Sequence[str], new: Iterable[tuple[str, str, Ids]]) -> tuple[Arrival, ...]:
    by_cve: dict[str, tuple[set[str], set[int]]] = {}
    for cve, source, there in new:
        sources, numbers = by_cve.setdefault(cve, (set(), set()))
        sources.add(source)
        numbers.update(there.tolist())
    made = []
    for cve, (sources, numbers) in by_cve.items():
        named = tuple(sorted(hosts[number] for number in numbers)[:_NAMED])
        made.append(Arrival(cve, tuple(sorted(sources)), len(numbers), named))
    return tuple(sorted(made, key=lambda one: (-one.hosts, one.cve)))
