"""What feeds say, with the time from which and until which it was known.

A record is told from others by its content: what a newer file says in the same words goes on, what
it says no longer is ended, what it says newly begins. Nothing is ever overwritten, so what was
known at any past time can be asked, of :mod:`suture.store.knowledge`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.documents import Document, decode, encode
from suture.core.intelligence.advisories import Advisory, Affected
from suture.core.intelligence.enrichment import Enrichment
from suture.store.query import parts
from suture.store.tables import feed_records

_BATCH = 5000


class Row(NamedTuple):
    """A record as it is stored. ``release`` is None for enrichment, empty for an advisory that
    concerns no release."""

    key: str
    release: str | None
    digest: bytes
    document: bytes


class Applied(NamedTuple):
    """How many records began and ended."""

    began: int
    ended: int


def rows(record: Advisory | Enrichment) -> Iterator[Row]:
    """The rows of one record: one a release, so that a fleet reads only what concerns it."""
    if isinstance(record, Enrichment):
        yield row(record.cve, None, record)
        return
    by_release: dict[str, list[Affected]] = {}
    for affected in record.affected:
        by_release.setdefault(affected.release, []).append(affected)
    for release, affected_there in (by_release or {"": []}).items():
        part = replace(record, affected=tuple(affected_there))
        yield row(record.id, release, part)


def row(key: str, release: str | None, record: Document) -> Row:
    document = encode(record)
    return Row(key[:255], release, hashlib.blake2b(document, digest_size=16).digest(), document)


def apply(
    connection: sa.Connection,
    feed: str,
    file: str,
    new: Iterable[Row],
    now: datetime,
) -> Applied:
    """``new`` is all that ``file`` says: what else it said until now is ended."""
    where = (feed_records.c.feed == feed, feed_records.c.file == file)
    return _replace(connection, feed, file, new, now, _current(connection, *where))


def apply_partial(
    connection: sa.Connection,
    feed: str,
    file: str,
    new: Sequence[Row],
    removed: Collection[str],
    now: datetime,
) -> Applied:
    """``new`` is all that the feed says under the keys it names; ``removed`` keys end."""
    keys = sorted({row.key for row in new} | set(removed))
    current: dict[bytes, int] = {}
    for part in parts(keys):
        where = (feed_records.c.feed == feed, feed_records.c.key.in_(part))
        current |= _current(connection, *where)
    return _replace(connection, feed, file, new, now, current)


def end_files(connection: sa.Connection, feed: str, present: Collection[str], now: datetime) -> int:
    """End what came from files that the feed no longer has; how many records that were."""
    names = connection.execute(
        sa.select(feed_records.c.file)
        .where(feed_records.c.feed == feed, feed_records.c.known_until.is_(None))
        .distinct()
    ).scalars()
    ended = 0
    for name in sorted(set(names) - set(present)):
        ended += apply(connection, feed, name, (), now).ended
    return ended


def count(connection: sa.Connection, feed: str) -> int:
    """The records that count now."""
    return (
        connection.execute(
            sa.select(sa.func.count())
            .select_from(feed_records)
            .where(feed_records.c.feed == feed, feed_records.c.known_until.is_(None))
        ).scalar()
        or 0
    )


def changed(
    connection: sa.Connection, feed: str, at: datetime, releases: Collection[str]
) -> Iterator[Advisory]:
    """What ``feed`` began or ceased to say about ``releases`` at exactly that time."""
    for part in parts(sorted(releases)):
        query = sa.select(feed_records.c.document).where(
            feed_records.c.feed == feed,
            feed_records.c.release.in_(part),
            sa.or_(feed_records.c.known_from == at, feed_records.c.known_until == at),
        )
        for row in connection.execute(query):
            yield decode(row.document, Advisory)


def stored(connection: sa.Connection, feed: str) -> Iterator[tuple[str, Row]]:
    """(file, row) of all that ``feed`` says now, for taking it elsewhere."""
    query = (
        sa.select(feed_records)
        .where(feed_records.c.feed == feed, feed_records.c.known_until.is_(None))
        .order_by(feed_records.c.file, feed_records.c.id)
    )
    for row in connection.execute(query):
        yield row.file, Row(row.key, row.release, bytes(row.digest), bytes(row.document))


def _current(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> dict[bytes, int]:
    query = sa.select(feed_records.c.digest, feed_records.c.id).where(
        *where, feed_records.c.known_until.is_(None)
    )
    return {bytes(row.digest): row.id for row in connection.execute(query)}


def _replace(
    connection: sa.Connection,
    feed: str,
    file: str,
    new: Iterable[Row],
    now: datetime,
    current: dict[bytes, int],
) -> Applied:
    gone, begun = dict(current), set[bytes]()
    batch: list[dict[str, object]] = []
    for row in new:
        gone.pop(row.digest, None)
        if row.digest in current or row.digest in begun:
            continue
        begun.add(row.digest)
        batch.append(row._asdict() | {"feed": feed, "file": file, "known_from": now})
        if len(batch) >= _BATCH:
            connection.execute(sa.insert(feed_records), batch)
            batch = []
    if batch:
        connection.execute(sa.insert(feed_records), batch)
    for part in parts(list(gone.values())):
        connection.execute(
            sa.update(feed_records).where(feed_records.c.id.in_(part)).values(known_until=now)
        )
    return Applied(len(begun), len(gone))
