"""Changelogs of new versions: fetched once, from one host, for the whole fleet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from suture.core.documents import Document
from suture.store.tables import changelogs

ChangelogKey = tuple[str, str, str]
"""(release, source package, source version)"""


class StoredChangelog(Document, frozen=True):
    """The changelog of a source version that a release offers, back to ``since``."""

    release: str
    source: str
    version: str
    since: str
    text: str


def save(connection: sa.Connection, found: Iterable[StoredChangelog], now: datetime) -> None:
    """Keep changelogs; one that was known is replaced, for it may reach further back now."""
    for one in found:
        where = (
            changelogs.c.release == one.release,
            changelogs.c.source == one.source,
            changelogs.c.version == one.version,
        )
        connection.execute(sa.delete(changelogs).where(*where))
        connection.execute(
            sa.insert(changelogs).values(
                {name: getattr(one, name) for name in one.__struct_fields__} | {"fetched_at": now}
            )
        )


def listing(
    connection: sa.Connection, *, known_at: datetime | None = None
) -> tuple[StoredChangelog, ...]:
    """All of them, or those that had been fetched by ``known_at``."""
    names = StoredChangelog.__struct_fields__
    query = sa.select(*(changelogs.c[name] for name in names))
    if known_at is not None:
        query = query.where(changelogs.c.fetched_at <= known_at)
    rows = connection.execute(query)
    return tuple(StoredChangelog(**row._mapping) for row in rows)
