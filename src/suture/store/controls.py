"""Which control was in force on which host, from when until when. Rows are ended, never changed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from suture.core.assessment.mitigation import InForce
from suture.core.controls import Control
from suture.core.documents import decode, encode
from suture.store.tables import controls_in_force as table


def begin(connection: sa.Connection, found: InForce, *, again: bool = False) -> None:
    """From ``found.since`` on; nothing where that is known of this rollout already, and where it
    has ended since, only ``again``.

    Another control of the same target is overwritten on the host, and so ends.
    """
    rows = connection.execute(sa.select(table).where(table.c.host == found.host)).all()
    for row in rows:
        known = decode(row.document, Control)
        if known == found.control and row.rollout == found.rollout:
            if row.until is None or not again:
                return
        elif known != found.control and known.target == found.control.target and not row.until:
            _end(connection, table.c.id == row.id, found.since)
    connection.execute(
        sa.insert(table).values(
            host=found.host,
            control=found.control.id,
            rollout=found.rollout,
            document=encode(found.control),
            since=found.since,
        )
    )


def end(
    connection: sa.Connection, rollout: str, host: str, now: datetime, control: str | None = None
) -> None:
    """What the rollout had brought to the host is not in force any more: ``control``, or all."""
    which = (table.c.rollout == rollout) & (table.c.host == host)
    if control is not None:
        which &= table.c.control == control
    _end(connection, which & table.c.until.is_(None), now)


def _end(connection: sa.Connection, which: sa.ColumnElement[bool], now: datetime) -> None:
    connection.execute(sa.update(table).where(which).values(until=now))
