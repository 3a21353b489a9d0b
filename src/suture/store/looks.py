"""Looks at the waves of rollouts: what their gates were judged by."""

from __future__ import annotations

import sqlalchemy as sa

from suture.core.documents import decode, encode
from suture.core.rollout.gates import Look
from suture.store.tables import looks


def save(connection: sa.Connection, rollout: str, look: Look) -> bool:
    """Keep a look; False where the one of this number is there already."""
    where = (looks.c.rollout == rollout, looks.c.wave == look.wave, looks.c.number == look.number)
    if connection.execute(sa.select(looks.c.id).where(*where)).first() is not None:
        return False
    connection.execute(
        sa.insert(looks).values(
            rollout=rollout, wave=look.wave, number=look.number, document=encode(look)
        )
    )
    return True


def of_wave(connection: sa.Connection, rollout: str, wave: int) -> tuple[Look, ...]:
    """In the order in which they were taken."""
    query = sa.select(looks.c.document).where(looks.c.rollout == rollout, looks.c.wave == wave)
    rows = connection.execute(query.order_by(looks.c.number))
    return tuple(decode(row.document, Look) for row in rows)
