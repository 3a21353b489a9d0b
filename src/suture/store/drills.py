"""Drills: when the way back of which host was tried, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from suture.core.documents import Document
from suture.core.evidence import Verdict
from suture.store.tables import drills


class StoredDrill(Document, frozen=True):
    """``kind`` names the hosts for which it counts besides its own; ``document`` is canonical
    JSON."""

    host: str
    kind: str
    verdict: Verdict
    ended_at: datetime
    document: bytes


def save(connection: sa.Connection, drill: StoredDrill) -> None:
    connection.execute(
        sa.insert(drills).values(
            host=drill.host,
            kind=drill.kind,
            verdict=drill.verdict.value,
            ended_at=drill.ended_at,
            document=drill.document,
        )
    )


def listing(connection: sa.Connection) -> tuple[StoredDrill, ...]:
    """All drills, newest first."""
    rows = connection.execute(sa.select(drills).order_by(drills.c.id.desc()))
    return tuple(
        StoredDrill(row.host, row.kind, Verdict(row.verdict), row.ended_at, bytes(row.document))
        for row in rows
    )


def documents(connection: sa.Connection) -> Iterator[tuple[str, bytes]]:
    """Every drill's host and its canonical JSON, as they are stored."""
    stored = sa.cast(drills.c.document, sa.LargeBinary)
    for host, document in connection.execute(sa.select(drills.c.host, stored)):
        yield host, bytes(document)
