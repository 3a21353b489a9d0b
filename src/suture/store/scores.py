"""EPSS scores, a table a day: the newest for ranking, the older ones for what was known when."""

from __future__ import annotations

import struct
import zlib
from datetime import datetime

import numpy as np
import sqlalchemy as sa

from suture.core.scores import ScoreTable
from suture.store.tables import score_tables


def save(connection: sa.Connection, table: ScoreTable, now: datetime) -> None:
    """Keep the scores of a day, in the place of what was known of that day."""
    connection.execute(sa.delete(score_tables).where(score_tables.c.day == table.day))
    connection.execute(
        sa.insert(score_tables).values(
            day=table.day, known_from=now, model=table.model, scores=_pack(table)
        )
    )


def latest(connection: sa.Connection, *, known_at: datetime | None = None) -> ScoreTable | None:
    """The newest scores, as known at a time, else now."""
    query = sa.select(score_tables).order_by(score_tables.c.day.desc()).limit(1)
    if known_at is not None:
        query = query.where(score_tables.c.known_from <= known_at)
    row = connection.execute(query).one_or_none()
    return _unpack(row) if row else None


def _pack(table: ScoreTable) -> bytes:
    steps = np.diff(table.cves, prepend=0)
    data = steps.tobytes() + table.probabilities.tobytes() + table.percentiles.tobytes()
    return struct.pack("<I", len(table)) + zlib.compress(data, 6)


def _unpack(row: sa.Row[tuple[object, ...]]) -> ScoreTable:
    (count,) = struct.unpack_from("<I", row.scores)
    data = zlib.decompress(row.scores[4:])
    return ScoreTable(
        day=row.day,
        model=row.model,
        cves=np.cumsum(np.frombuffer(data, np.int64, count)),
        probabilities=np.frombuffer(data, np.float32, count, 8 * count),
        percentiles=np.frombuffer(data, np.float32, count, 12 * count),
    )
