"""Changelogs of new versions: fetched once, from one host, for the whole fleet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from suture.store.tables import changelogs


def save(connection: sa.Connection, texts: Mapping[tuple[str, str], str], now: datetime) -> None:
    """Keep texts by (source, source version); a known one stays as it is."""
    known = {
        (row.source, row.version)
        for row in connection.execute(sa.select(changelogs.c.source, changelogs.c.version))
    }
    fresh = [
        {"source": source, "version": version, "text": text, "fetched_at": now}
        for (source, version), text in texts.items()
        if (source, version) not in known
    ]
    if fresh:
        connection.execute(sa.insert(changelogs), fresh)


def listing(connection: sa.Connection) -> dict[tuple[str, str], str]:
    return {
        (row.source, row.version): row.text for row in connection.execute(sa.select(changelogs))
    }
