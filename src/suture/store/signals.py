"""What people say to rollouts: rows that the next tick reads and answers."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from suture.core.documents import Document
from suture.core.rollout.state import Signal
from suture.store.tables import signals


class StoredSignal(Document, frozen=True):
    """``answer`` is empty where it was taken, else why it was refused; None until answered."""

    id: int
    rollout: str
    signal: Signal
    actor: str
    reason: str
    given_at: datetime
    answer: str | None


def give(
    connection: sa.Connection,
    rollout: str,
    signal: Signal,
    *,
    actor: str,
    reason: str,
    now: datetime,
) -> int:
    """Leave a signal; its id is for asking what became of it."""
    result = connection.execute(
        sa.insert(signals).values(
            rollout=rollout, signal=signal.value, actor=actor, reason=reason, given_at=now
        )
    )
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def waiting(connection: sa.Connection, rollout: str) -> tuple[StoredSignal, ...]:
    """Signals not answered yet, oldest first."""
    rows = connection.execute(
        sa.select(signals)
        .where(signals.c.rollout == rollout, signals.c.answered_at.is_(None))
        .order_by(signals.c.id)
    )
    return tuple(_stored(row) for row in rows)


def answer(connection: sa.Connection, signal_id: int, text: str, now: datetime) -> bool:
    """False when another process has answered it."""
    result = connection.execute(
        sa.update(signals)
        .where(signals.c.id == signal_id, signals.c.answered_at.is_(None))
        .values(answered_at=now, answer=text)
    )
    return result.rowcount == 1


def get(connection: sa.Connection, signal_id: int) -> StoredSignal | None:
    row = connection.execute(sa.select(signals).where(signals.c.id == signal_id)).one_or_none()
    return _stored(row) if row else None


def _stored(row: sa.Row[tuple[object, ...]]) -> StoredSignal:
    return StoredSignal(
        id=row.id,
        rollout=row.rollout,
        signal=Signal(row.signal),
        actor=row.actor,
        reason=row.reason,
        given_at=row.given_at,
        answer=row.answer,
    )
