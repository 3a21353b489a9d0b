"""The append-only, hash-chained log of everything that was decided, done and seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from suture.core import chain
from suture.core.documents import encode
from suture.core.evidence import Event
from suture.store.tables import events


def append(
    connection: sa.Connection,
    *,
    at: datetime,
    kind: str,
    subject: str,
    host: str = "",
    actor: str = "",
    data: Any = None,
) -> Event:
    """Add an event. The connection holds the write lock, so the chain cannot fork."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(727474)")
    row = connection.execute(sa.select(events).order_by(events.c.seq.desc()).limit(1)).one_or_none()
    before = Event(**row._mapping) if row else None
    event = chain.link(
        before,
        at=at,
        kind=kind,
        subject=subject,
        host=host,
        actor=actor,
        data=encode({} if data is None else data).decode(),
    )
    connection.execute(
        sa.insert(events).values({name: getattr(event, name) for name in event.__struct_fields__})
    )
    return event


def head(connection: sa.Connection) -> int:
    """The number of the last event, 0 where there is none."""
    return connection.execute(sa.select(sa.func.max(events.c.seq))).scalar() or 0


def stream(
    connection: sa.Connection, *, subject: str | None = None, after: int = 0
) -> Iterator[Event]:
    """Events in order, of one subject where it is given, from behind ``after``."""
    query = sa.select(events).where(events.c.seq > after).order_by(events.c.seq)
    if subject is not None:
        query = query.where(events.c.subject == subject)
    for row in connection.execute(query):
        yield Event(**row._mapping)
