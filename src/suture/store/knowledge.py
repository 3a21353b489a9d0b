"""What is known of vulnerabilities and of what stands in for patches, to be read.

Feeds, changelogs and rollouts write it through SQLAlchemy, in modules of their own.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

import msgspec

from suture.core.assessment.mitigation import InForce
from suture.core.controls import Control
from suture.core.documents import Document, decode
from suture.core.intelligence.advisories import Advisory
from suture.core.intelligence.advisory_index import Name
from suture.core.intelligence.enrichment import Enrichment
from suture.store.query import Query, marks, moment, parts

if TYPE_CHECKING:
    from suture.core.intelligence.epss import ScoreTable

ChangelogKey = tuple[str, str, str]
"""(release, source package, source version)"""


class StoredChangelog(Document, frozen=True):
    """The changelog of a source version that a release offers, back to ``since``."""

    release: str
    source: str
    version: str
    since: str
    text: str


class FileState(Document, frozen=True, omit_defaults=True):
    """A file as it was last read: ``etag`` and ``modified`` as its server gave them."""

    sha256: str
    size: int
    etag: str = ""
    modified: str = ""


class FeedState(Document, frozen=True, omit_defaults=True):
    """``publisher`` and ``stale_after_s`` (seconds) are the feed's own. ``mirror`` replaces the
    official address. ``synced_at`` is when the last good sync began, ``checked_at`` when the last
    one was tried, ``error`` why that one failed. ``records`` are those that count now, ``newest``
    the latest day that one of them is dated with. ``reader`` is the version of Suture that read
    the files: another one reads them anew. ``files`` are all that were fetched, ``present`` the
    names of those that hold records.
    """

    name: str
    publisher: str = ""
    stale_after_s: float = 3 * 86400
    mirror: str = ""
    synced_at: datetime | None = None
    checked_at: datetime | None = None
    error: str = ""
    remedy: str = ""
    records: int = 0
    newest: date | None = None
    reader: str = ""
    files: Mapping[str, FileState] = {}
    present: tuple[str, ...] = ()


def advisories(
    query: Query,
    releases: Collection[str],
    *,
    known_at: datetime | None = None,
    names: Collection[Name] | None = None,
) -> Iterator[tuple[str, Advisory]]:
    """(feed, advisory) of all that concerns ``releases``, as known at a time, else now.

    Of ``names``, where given, alone: those that name none of them are passed over unread.
    """
    known, when = _during("known_from", "known_until", known_at)
    for part in parts(sorted(releases)):
        rows = query(
            "SELECT feed, release, document FROM feed_records "
            f"WHERE release IN {marks(part)} AND {known} ORDER BY id",
            *part,
            *when,
        )
        for feed, release, document in rows:
            if names is None or _names_any(release, document, names):
                yield feed, decode(document, Advisory)


def advisories_before_and_now(
    query: Query, releases: Collection[str], at: datetime, names: Collection[Name]
) -> Iterator[tuple[bool, bool, Advisory]]:
    """As :func:`advisories`, of those known before ``at`` or now: (was known, is known, it)."""
    for part in parts(sorted(releases)):
        rows = query(
            "SELECT release, document, known_from < ?, known_until IS NULL FROM feed_records "
            f"WHERE release IN {marks(part)} "
            "AND (known_until IS NULL OR known_from < ? AND known_until >= ?) ORDER BY id",
            at,
            *part,
            at,
            at,
        )
        for release, document, was, is_ in rows:
            if _names_any(release, document, names):
                yield bool(was), bool(is_), decode(document, Advisory)


def _names_any(release: str, document: bytes, names: Collection[Name]) -> bool:
    return any((release, one.package) in names for one in _naming.decode(document).affected)


class _Affected(msgspec.Struct):
    package: str


class _Naming(msgspec.Struct):
    """Of an advisory only what it is about."""

    affected: list[_Affected]


_naming = msgspec.json.Decoder(_Naming)


def spoken_of(
    query: Query, releases: Collection[str], *, but_for: str, known_at: datetime | None = None
) -> set[str]:
    """Those of ``releases`` about which any feed says something, as known at a time, else now.
    Feeds whose names begin with ``but_for`` do not count."""
    known, when = _during("known_from", "known_until", known_at)
    sql = f"SELECT id FROM feed_records WHERE release = ? AND feed NOT LIKE ? AND {known} LIMIT 1"
    return {release for release in releases if list(query(sql, release, f"{but_for}%", *when))}


def enrichments(
    query: Query, cves: Collection[str], *, known_at: datetime | None = None
) -> Iterator[tuple[str, Enrichment]]:
    """(feed, enrichment) of ``cves``, as known at a time, else now."""
    known, when = _during("known_from", "known_until", known_at)
    for part in parts(sorted(cves)):
        rows = query(
            "SELECT feed, document FROM feed_records "
            f"WHERE key IN {marks(part)} AND release IS NULL AND {known} ORDER BY id",
            *part,
            *when,
        )
        for feed, document in rows:
            yield feed, decode(document, Enrichment)


def scores(query: Query, *, known_at: datetime | None = None) -> ScoreTable | None:
    """The newest scores of EPSS, as known at a time, else now."""
    known, when = ("", ()) if known_at is None else ("WHERE known_from <= ?", (known_at,))
    sql = f"SELECT day, model, cves, shares FROM score_tables {known} ORDER BY day DESC LIMIT 1"
    for day, model, cves, shares in query(sql, *when):
        import numpy as np

        from suture.core.intelligence.epss import ScoreTable

        numbers = np.frombuffer(zlib.decompress(shares), np.float64).reshape(2, -1)
        names = np.array(zlib.decompress(cves).split(b"\n"))
        return ScoreTable(date.fromisoformat(str(day)), model, names, numbers[0], numbers[1])
    return None


def feeds(query: Query) -> dict[str, FeedState]:
    """The feeds by name, those that were ever tried or changed."""
    rows = query("SELECT name, document FROM feeds")
    return {name: decode(document, FeedState) for name, document in rows}


def changelogs(query: Query, *, known_at: datetime | None = None) -> tuple[StoredChangelog, ...]:
    """All of them, or those that had been fetched by ``known_at``."""
    known, when = ("", ()) if known_at is None else ("WHERE fetched_at <= ?", (known_at,))
    rows = query(f"SELECT release, source, version, since, text FROM changelogs {known}", *when)
    return tuple(StoredChangelog(*row) for row in rows)


def in_force(query: Query, *, at: datetime | None = None) -> tuple[InForce, ...]:
    """The controls in force, now or at a time; by host and control."""
    then, when = _during("since", "until", at)
    rows = query(
        "SELECT host, document, rollout, since FROM controls_in_force "
        f"WHERE {then} ORDER BY host, control, id",
        *when,
    )
    return tuple(
        InForce(host, decode(document, Control), rollout, moment(since))
        for host, document, rollout, since in rows
    )


def _during(begin: str, end: str, at: datetime | None) -> tuple[str, tuple[datetime, ...]]:
    """The condition that a row counts now, or at a time, and its values."""
    if at is None:
        return f"{end} IS NULL", ()
    return f"{begin} <= ? AND ({end} IS NULL OR {end} > ?)", (at, at)
