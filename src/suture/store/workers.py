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


def beat(connection: sa.Connection, worker: Worker) -> bool:
    """Record a heartbeat; False when the worker was declared dead meanwhile and must stop."""
    result = connection.execute(
        sa.update(workers).where(workers.c.id == worker.id).values(heartbeat=worker.heartbeat)
    )
    return result.rowcount == 1


def enlist(connection: sa.Connection, worker: Worker) -> None:
    connection.execute(
        sa.insert(workers).values(
            id=worker.id, machine=worker.machine, pid=worker.pid, heartbeat=worker.heartbeat
        )
    )


def dismiss(connection: sa.Connection, worker_id: str) -> bool:
    """Take a worker off the list; only the one process for which this is True takes over."""
    return connection.execute(sa.delete(workers).where(workers.c.id == worker_id)).rowcount == 1


def listing(connection: sa.Connection) -> tuple[Worker, ...]:
    rows = connection.execute(sa.select(workers).order_by(workers.c.id))
    return tuple(Worker(**row._mapping) for row in rows)


def next_fence(connection: sa.Connection, host: str) -> int:
    """A number greater than any given for the host before. The host refuses lower ones."""
    row = connection.execute(sa.select(fences.c.fence).where(fences.c.host == host)).one_or_none()
    if row is None:
        connection.execute(sa.insert(fences).values(host=host, fence=1))
        return 1
    connection.execute(sa.update(fences).where(fences.c.host == host).values(fence=row.fence + 1))
    return int(row.fence) + 1
