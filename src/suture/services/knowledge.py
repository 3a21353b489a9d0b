"""What is known about vulnerabilities: publishers' feeds and the archive's changelogs together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta

from suture.core.assessment.mitigation import InForce
from suture.core.intelligence import changelogs, enrichment
from suture.core.intelligence.advisories import Advisory
from suture.core.intelligence.advisory_index import AdvisoryIndex, Name
from suture.core.intelligence.enrichment import Enrichment
from suture.core.inventory import Inventory
from suture.store import knowledge as stored
from suture.store.knowledge import ChangelogKey, FeedState, StoredChangelog
from suture.store.query import Reads

# Of two that say one thing about a CVE the earlier is believed.
_ENRICHING = ("nvd", "nvd-api", "cve", "vulnrichment", "cisa-kev")

# EPEL's feeds speak of packages that the releases themselves do not have.
_BESIDE = "epel-"


class Knowledge:
    """All that is said about the releases of a fleet, read once for all of its hosts.

    ``names`` are all that the index is wanted for, None for everything. ``spoken_of`` are the
    releases about whose own packages anything is said: of others nothing is known, which is not
    the same as nothing open. ``published`` is (source, source version) → the day it
    came out. ``stale`` is publisher → how old its word is, where that is too old to be relied on.
    ``in_force`` are the controls that stand in for patches.
    """

    def __init__(
        self,
        known: Iterable[StoredChangelog] = (),
        unreadable: Mapping[ChangelogKey, str] | None = None,
        *,
        advisories: Iterable[Advisory] = (),
        stale: Mapping[str, str] | None = None,
        in_force: Iterable[InForce] = (),
        store: Reads | None = None,
        known_at: datetime | None = None,
        names: Collection[Name] | None = None,
        spoken_of: Iterable[str] = (),
    ) -> None:
        found = list(advisories)
        self.published: dict[tuple[str, str], date] = {}
        self.unreadable = dict(unreadable or {})
        self.stale = dict(stale or {})
        self.in_force = tuple(in_force)
        self._store = store
        self._known_at = known_at
        for one in known:
            entries = changelogs.parse(one.text)
            found += changelogs.advisories(entries, release=one.release, installed=one.since)
            for version, day in changelogs.published(entries).items():
                self.published[(one.source, version)] = day
        said = {
            affected.release for one in found for affected in one.affected if not affected.channel
        }
        self.spoken_of = frozenset(said.union(spoken_of))
        if names is None:
            self.index = AdvisoryIndex(found)
        else:
            self.index = AdvisoryIndex(()).renewed(names, found)

    def unreadable_for(self, inventory: Inventory) -> dict[str, str]:
        release = inventory.os.release
        return {
            source: why
            for (of_release, source, _), why in self.unreadable.items()
            if of_release == release
        }

    def enrichment(self, cves: Collection[str]) -> dict[str, Enrichment]:
        """What the feeds know about ``cves`` apart from any package."""
        if self._store is None:
            return {}
        parts: dict[str, dict[str, list[Enrichment]]] = {}
        with self._store.query() as query:
            for feed, one in stored.enrichments(query, cves, known_at=self._known_at):
                parts.setdefault(one.cve, {}).setdefault(feed, []).append(one)
            table = stored.scores(query, known_at=self._known_at)
        merged = {}
        for cve in cves:
            by_feed = sorted(parts.get(cve, {}).items(), key=lambda item: _order(item[0]))
            said = [one for _, some in by_feed for one in some]
            epss = table.get(cve) if table is not None else None
            if epss is not None:
                said.append(Enrichment(cve, epss=epss))
            if said:
                merged[cve] = enrichment.merge(cve, said)
        return merged


def known_about(
    store: Reads,
    releases: Collection[str],
    *,
    now: datetime,
    at: datetime | None = None,
    known_at: datetime | None = None,
    read: Iterable[StoredChangelog] = (),
    unreadable: Mapping[ChangelogKey, str] | None = None,
    names: Collection[Name] | None = None,
) -> Knowledge:
    """What is known about ``releases``, now or as it was known at ``known_at``.

    ``at`` is the time of which controls in force are asked, None for now.
    ``read`` are changelogs that are not stored, ``unreadable`` says which could not be read.
    ``names`` are all that the index is wanted for, None for everything.
    """
    with store.query() as query:
        known = (*stored.changelogs(query, known_at=known_at), *read)
        advisories = [
            advisory
            for _, advisory in stored.advisories(query, releases, known_at=known_at, names=names)
        ]
        spoken_of = stored.spoken_of(query, releases, but_for=_BESIDE, known_at=known_at)
        states = stored.feeds(query)
        in_force = stored.in_force(query, at=at)
    return Knowledge(
        known,
        unreadable,
        advisories=advisories,
        stale={} if known_at else _stale(states.values(), now),
        in_force=in_force,
        store=store,
        known_at=known_at,
        names=names,
        spoken_of=spoken_of,
    )


def before_and_now(
    store: Reads, at: datetime, names: Collection[Name]
) -> tuple[AdvisoryIndex, AdvisoryIndex]:
    """What was known of ``names`` before ``at``, and what is known now, read once."""
    releases = {release for release, _ in names}
    with store.query() as query:
        said = list(stored.advisories_before_and_now(query, releases, at, names))
        known_then = stored.changelogs(query, known_at=at - timedelta(microseconds=1))
        known_now = stored.changelogs(query)
    then = [one for was, _, one in said if was]
    now = [one for _, is_, one in said if is_]
    return (
        Knowledge(known_then, advisories=then, names=names).index,
        Knowledge(known_now, advisories=now, names=names).index,
    )


def _stale(states: Iterable[FeedState], now: datetime) -> dict[str, str]:
    stale = {}
    for state in states:
        if state.synced_at is not None:
            age = now - state.synced_at
            if age.total_seconds() > state.stale_after_s:
                stale[state.publisher] = f"feed {state.name} is {age.days} days old"
    return stale


def _order(feed: str) -> int:
    return _ENRICHING.index(feed) if feed in _ENRICHING else len(_ENRICHING)
