"""What a synced feed newly opens on the fleet; no host is contacted for it.

Only the names of which the feed says something else are held against the fleet again, once with
what was known before and once with what is known now.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

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

Open = set[tuple[str, str, str]]
"""(host, CVE, source package)"""


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
    arrived = _gathered(_open(store, fleet, names, None) - before)
    with store.begin() as connection:
        for one in arrived:
            events.append(connection, at=clock(), kind="finding.new", subject=one.cve, data=one)
    return arrived


def _open(store: Store, fleet: Fleet, names: Collection[Name], known_at: datetime | None) -> Open:
    """All that is open on disk in ``names``."""
    releases = {release for release, _ in names}
    known = known_about(store, releases, now=clock(), known_at=known_at, names=names)
    matched = match_fleet(fleet, rule_table(known.index))
    return {
        (host, one.cve, one.source)
        for number, host in enumerate(matched.hosts)
        for one in matched.of_host(number)
    }


def _gathered(new: Open) -> tuple[Arrival, ...]:
    by_cve: dict[str, tuple[set[str], set[str]]] = {}
    for host, cve, source in new:
        sources, hosts = by_cve.setdefault(cve, (set(), set()))
        sources.add(source)
        hosts.add(host)
    made = [
        Arrival(cve, tuple(sorted(sources)), len(hosts), tuple(sorted(hosts))[:_NAMED])
        for cve, (sources, hosts) in by_cve.items()
    ]
    return tuple(sorted(made, key=lambda one: (-one.hosts, one.cve)))
