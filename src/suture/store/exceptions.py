"""Exceptions, those that ended included: what was accepted when is part of the record."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from suture.core.assessment.exceptions import RiskException
from suture.core.documents import decode, encode
from suture.store.tables import exceptions


def save(connection: sa.Connection, exception: RiskException, actor: str, now: datetime) -> None:
    connection.execute(
        sa.insert(exceptions).values(
            id=exception.id, document=encode(exception), actor=actor, added_at=now
        )
    )


def next_id(connection: sa.Connection) -> str:
    """``EX-1``, ``EX-2``, …: short enough to be typed, never given twice."""
    count = connection.execute(sa.select(sa.func.count()).select_from(exceptions)).scalar() or 0
    return f"EX-{count + 1}"


def remove(connection: sa.Connection, exception_id: str, now: datetime) -> bool:
    """End an exception; whether there was one of that id that had not been ended."""
    done = connection.execute(
        sa.update(exceptions)
        .where(exceptions.c.id == exception_id, exceptions.c.removed_at.is_(None))
        .values(removed_at=now)
    )
    return done.rowcount == 1


def listing(
    connection: sa.Connection, *, known_at: datetime | None = None
) -> tuple[RiskException, ...]:
    """Those that nobody has ended, in the order in which they were added; or those of a time."""
    removed = exceptions.c.removed_at
    query = sa.select(exceptions.c.document).order_by(exceptions.c.added_at)
    if known_at is None:
        query = query.where(removed.is_(None))
    else:
        query = query.where(
            exceptions.c.added_at <= known_at, sa.or_(removed.is_(None), removed > known_at)
        )
    return tuple(decode(row.document, RiskException) for row in connection.execute(query))
