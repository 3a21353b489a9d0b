"""Keeping EPSS scores, a table a day: the older ones tell what was known when."""

from __future__ import annotations

import zlib
from datetime import datetime

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
