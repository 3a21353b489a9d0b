"""EPSS scores, a table a day: the newest for ranking, the older ones for what was known when."""

from __future__ import annotations

import zlib
from datetime import datetime

import numpy as np
import sqlalchemy as sa

from suture.core.intelligence.epss import ScoreTable
from suture.store.tables import score_tables


def save(connection: sa.Connection, table: ScoreTable, now: datetime) -> None:
    """Keep the scores of a day, in the place of what was known of that day."""
    connection.execute(sa.delete(score_tables).where(score_tables.c.day == table.day))
    connection.execute(
        sa.insert(score_tables).values(
            day=table.day,
            known_from=now,
            model=table.model,
            cves=zlib.compress(b"\n".join(table.cves.tolist()), 3),
            shares=zlib.compress(table.probabilities.tobytes() + table.percentiles.tobytes(), 3),
        )
    )


def latest(connection: sa.Connection, *, known_at: datetime | None = None) -> ScoreTable | None:
    """The newest scores, as known at a time, else now."""
    query = sa.select(score_tables).order_by(score_tables.c.day.desc()).limit(1)
    if known_at is not None:
        query = query.where(score_tables.c.known_from <= known_at)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    cves = zlib.decompress(row.cves).split(b"\n")
    shares = np.frombuffer(zlib.decompress(row.shares), np.float64).reshape(2, -1)
    return ScoreTable(row.day, row.model, np.array(cves), shares[0], shares[1])
