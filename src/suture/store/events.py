"""The append-only, hash-chained log of everything that was decided, done and seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec.structs import asdict

from suture.core import chain
from suture.core.documents import encode
from suture.core.evidence import Event
from suture.store.database import at_the_end, release_when_idle
from suture.store.tables import events

_TURN_S = 5.0


class Earlier(NamedTuple):
    """How many events there are up to the one with the number ``seq``, and when the first was."""

    number: int
    seq: int
    since: datetime


class _Said(NamedTuple):
    """An event that has no place in the chain yet."""

    at: datetime
    kind: str
    subject: str
    host: str
    actor: str
    data: str


def append(
    connection: sa.Connection,
    *,
    at: datetime,
    kind: str,
    subject: str,
    host: str = "",
    actor: str = "",
    data: Any = None,
) -> None:
    """Add an event, with all others of the transaction at its end.

    The chain cannot be written by two at once. So whoever writes it has only to commit then, and
    all else of their transactions goes on side by side.
    """
    text = encode({} if data is None else data).decode()
    at_the_end(connection, _write, _Said(at, kind, subject, host, actor, text))


def _write(connection: sa.Connection, fresh: Sequence[_Said]) -> None:
    """Nobody else writes an event from here to the end of the transaction; one that stands still
    is ended, so that nobody waits for a frozen process."""
    if connection.dialect.name == "postgresql":
        release_when_idle(connection, most_s=_TURN_S)
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(727474)")
    row = connection.execute(sa.select(events).order_by(events.c.seq.desc()).limit(1)).one_or_none()
    before = Event(**row._mapping) if row else None
    rows = []
    for said in fresh:
        before = chain.link(before, **said._asdict())
        rows.append(asdict(before))
    connection.execute(sa.insert(events), rows)


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


def before_last(
    connection: sa.Connection, subject: str, last: int, *, but: str = ""
) -> Earlier | None:
    """What comes before the ``last`` events of a subject, None where it has no more; events of the
    kind ``but`` do not count."""
    of_it = sa.select(events.c.seq, events.c.at).where(
        events.c.subject == subject, events.c.kind != but
    )
    older = of_it.order_by(events.c.seq.desc()).offset(last).subquery()
    found = connection.execute(
        sa.select(sa.func.count(), sa.func.max(older.c.seq), sa.func.min(older.c.at))
    ).one()
    return Earlier(*found) if found[0] else None


def stream(
    connection: sa.Connection, *, subject: str | None = None, after: int = 0
) -> Iterator[Event]:
    """Events in order, of one subject where it is given, from behind ``after``."""
    query = sa.select(events).where(events.c.seq > after).order_by(events.c.seq)
    if subject is not None:
        query = query.where(events.c.subject == subject)
    for row in connection.execute(query):
        yield Event(**row._mapping)
