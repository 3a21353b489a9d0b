"""Keeping changelogs of new versions: fetched once, from one host, for the whole fleet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from suture.store.knowledge import StoredChangelog
from suture.store.tables import changelogs


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
