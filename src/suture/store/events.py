"""The append-only, hash-chained log of everything that was decided, done and seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec.structs import asdict

from suture.core import chain
from suture.core.documents import encode
from suture.core.evidence import Event
from suture.store.database import release_when_idle
from suture.store.tables import events

_BATCH = "suture.events"


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
    """Add an event; within :func:`together` it is written with the others."""
    batch: _Batch | None = connection.info.get(_BATCH)
    if batch is None:
        with together(connection) as batch:
            return batch.append(at, kind, subject, host, actor, data)
    return batch.append(at, kind, subject, host, actor, data)


class _Batch:
    """Events that are not written yet, behind the last one that is."""

    def __init__(self, before: Event | None) -> None:
        self.before = before
        self.fresh: list[Event] = []

    def append(
        self, at: datetime, kind: str, subject: str, host: str, actor: str, data: Any
    ) -> Event:
        self.before = chain.link(
            self.before,
            at=at,
            kind=kind,
            subject=subject,
            host=host,
            actor=actor,
            data=encode({} if data is None else data).decode(),
        )
        self.fresh.append(self.before)
        return self.before


@contextmanager
def together(connection: sa.Connection) -> Iterator[_Batch]:
    """Events that are appended to ``connection`` within are written at the end, at once.

    Until its transaction ends nobody else writes any, so the chain cannot fork; one that stands
    still is ended, so that nobody waits for a frozen process. Who begins a
    transaction with this, before any row, is never waited for by another who did so too.
    """
    if connection.dialect.name == "postgresql":
        release_when_idle(connection)
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(727474)")
    row = connection.execute(sa.select(events).order_by(events.c.seq.desc()).limit(1)).one_or_none()
    batch = _Batch(Event(**row._mapping) if row else None)
    info = connection.info  # which cannot be asked for any more once the connection is lost
    info[_BATCH] = batch
    try:
        yield batch
    finally:
        del info[_BATCH]
    if batch.fresh:
        connection.execute(sa.insert(events), [asdict(event) for event in batch.fresh])


def head(connection: sa.Connection) -> int:
    """The number of the last event, 0 where there is none."""
    return connection.execute(sa.select(sa.func.max(events.c.seq))).scalar() or 0


def times(connection: sa.Connection, kind: str, *, after: datetime) -> tuple[datetime, ...]:
    """When the newest events of a kind were written, in order, as far as there was none before
    ``after``; of a long log only its end is read."""
    older = sa.select(events.c.seq).where(events.c.at <= after)
    last = older.order_by(events.c.seq.desc()).limit(1).scalar_subquery()
    query = sa.select(events.c.at).where(
        events.c.kind == kind, events.c.seq > sa.func.coalesce(last, 0)
    )
    return tuple(connection.execute(query.order_by(events.c.seq)).scalars())


def stream(
    connection: sa.Connection, *, subject: str | None = None, after: int = 0
) -> Iterator[Event]:
    """Events in order, of one subject where it is given, from behind ``after``."""
    query = sa.select(events).where(events.c.seq > after).order_by(events.c.seq)
    if subject is not None:
        query = query.where(events.c.subject == subject)
    for row in connection.execute(query):
        yield Event(**row._mapping)
