"""Who is at work: heartbeats of processes, and the fences that keep the dead from acting."""

from __future__ import annotations

import sqlalchemy as sa

from suture.core.documents import Document
from suture.store.tables import fences, workers


class Worker(Document, frozen=True):
    """A process that drives rollouts; ``heartbeat`` in seconds since the epoch."""

    id: str
    machine: str
    pid: int
    heartbeat: float


def enlist(connection: sa.Connection, worker: Worker) -> None:
    connection.execute(
        sa.insert(workers).values(
            id=worker.id, machine=worker.machine, pid=worker.pid, heartbeat=worker.heartbeat
        )
    )


def beat(connection: sa.Connection, worker_id: str, heartbeat: float) -> bool:
    """Record a heartbeat; False when the worker was given up meanwhile and is not on the list."""
    result = connection.execute(
        sa.update(workers).where(workers.c.id == worker_id).values(heartbeat=heartbeat)
    )
    return result.rowcount == 1


def dismiss(connection: sa.Connection, worker_id: str) -> bool:
    """Take a worker off the list; False where it is not on it."""
    return connection.execute(sa.delete(workers).where(workers.c.id == worker_id)).rowcount == 1


def is_listed(connection: sa.Connection, worker_id: str) -> bool:
    """Whether the worker counts as alive; that stays so until the end of the transaction."""
    query = sa.select(workers.c.id).where(workers.c.id == worker_id).with_for_update()
    return connection.execute(query).first() is not None


def listing(connection: sa.Connection) -> tuple[Worker, ...]:
    rows = connection.execute(sa.select(workers).order_by(workers.c.id))
    return tuple(Worker(**row._mapping) for row in rows)


def next_fence(connection: sa.Connection, host: str) -> int:
    """A number greater than any given for the host before. The host refuses lower ones."""
    higher = sa.update(fences).where(fences.c.host == host).values(fence=fences.c.fence + 1)
    if connection.execute(higher).rowcount == 0:
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(fences).values(host=host, fence=1))
        except sa.exc.IntegrityError:
            connection.execute(higher)
    return current_fence(connection, host)


def current_fence(connection: sa.Connection, host: str) -> int:
    """The highest number given for the host, 0 where none was; it stays until the end of the
    transaction."""
    row = connection.execute(
        sa.select(fences.c.fence).where(fences.c.host == host).with_for_update()
    ).one_or_none()
    return int(row.fence) if row else 0
