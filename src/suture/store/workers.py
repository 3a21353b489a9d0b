"""Who is at work: heartbeats of processes, and the fences that keep the dead from acting."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec.structs import asdict

from suture.core.documents import Document, decode, encode
from suture.core.rollout.state import HostPhase
from suture.store.database import now_s, release_when_idle, upsert
from suture.store.tables import fences, rollout_hosts, workers

_SITE = "label="


class Worker(Document, frozen=True):
    """A process that drives rollouts: the one that it ``drives``, or all where that is empty.

    ``since`` and ``heartbeat`` are seconds since the epoch by the database's clock. It works on
    hosts behind the jump hosts ``jumps`` or with one of the labels ``sites``, and on no others;
    without either on all.
    """

    id: str
    machine: str
    pid: int
    since: float = 0.0
    heartbeat: float = 0.0
    drives: str = ""
    jumps: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[str, ...]:
        """Where it works, in one word each; ``""`` is wherever nobody else is at home."""
        return (*self.jumps, *map(site, self.sites)) or ("",)


def site(label: str) -> str:
    """The place of the hosts with a label. No jump host is called so."""
    return f"{_SITE}{label}"


def enlist(connection: sa.Connection, worker: Worker) -> None:
    """From now on; ``since`` and ``heartbeat`` are the database's."""
    values = asdict(worker) | {
        "since": now_s(),
        "heartbeat": now_s(),
        "jumps": encode((*worker.jumps, *map(site, worker.sites))).decode(),
    }
    del values["sites"]  # they are among the places of the column
    connection.execute(sa.insert(workers).values(values))


def beat(connection: sa.Connection, worker_id: str) -> bool:
    """Record a heartbeat; False when the worker was given up meanwhile and is not on the list.
    Who stands still in it is still given up by others, who take the same row."""
    release_when_idle(connection)
    result = connection.execute(
        sa.update(workers).where(workers.c.id == worker_id).values(heartbeat=now_s())
    )
    return result.rowcount == 1


def clock(connection: sa.Connection) -> float:
    """The database's clock, in seconds since the epoch."""
    return connection.execute(sa.select(now_s())).scalar_one()


def dismiss(connection: sa.Connection, worker_id: str) -> bool:
    """Take a worker off the list; False where it is not on it."""
    return connection.execute(sa.delete(workers).where(workers.c.id == worker_id)).rowcount == 1


def is_listed(connection: sa.Connection, worker_id: str) -> bool:
    """Whether the worker counts as alive; that stays so until the end of the transaction, and its
    heart may beat meanwhile."""
    query = sa.select(workers.c.id).where(workers.c.id == worker_id)
    query = query.with_for_update(read=True, key_share=True)
    return connection.execute(query).first() is not None


def listing(connection: sa.Connection) -> tuple[Worker, ...]:
    rows = connection.execute(sa.select(workers).order_by(workers.c.since, workers.c.id))
    return tuple(_worker(dict(row._mapping)) for row in rows)


def _worker(row: dict[str, Any]) -> Worker:
    places = decode(row["jumps"], tuple[str, ...])
    return Worker(
        **row
        | {
            "jumps": tuple(one for one in places if not one.startswith(_SITE)),
            "sites": tuple(one.removeprefix(_SITE) for one in places if one.startswith(_SITE)),
        }
    )


def hands(connection: sa.Connection) -> dict[str, tuple[str, ...]]:
    """Worker id → the hosts that it is at work on: those whose newest fence it took."""
    at_work = [phase.value for phase in HostPhase if phase.is_at_work]
    rows = connection.execute(
        sa.select(fences.c.worker, fences.c.host)
        .join(rollout_hosts, rollout_hosts.c.host == fences.c.host)
        .where(rollout_hosts.c.phase.in_(at_work))
        .order_by(fences.c.host)
    )
    found: dict[str, list[str]] = {}
    for worker, host in rows:
        found.setdefault(worker, []).append(host)
    return {worker: tuple(hosts) for worker, hosts in found.items()}


def next_fences(connection: sa.Connection, hosts: Collection[str], worker: str) -> dict[str, int]:
    """By host a number greater than any given for it before, for ``worker``. The host refuses
    lower ones."""
    values = [{"host": host, "fence": 1, "worker": worker} for host in sorted(hosts)]
    rows = connection.execute(_next_fences(connection.dialect.name), values)
    return {row.host: int(row.fence) for row in rows}


@cache
def _next_fences(dialect: str) -> sa.Executable:
    new = upsert(dialect, fences)
    higher = {"fence": fences.c.fence + 1, "worker": new.excluded.worker}
    statement: sa.Executable = new.on_conflict_do_update(
        index_elements=[fences.c.host], set_=higher
    ).returning(fences.c.host, fences.c.fence)
    return statement


def current_fences(connection: sa.Connection, hosts: Collection[str]) -> dict[str, int]:
    """By host the highest number given for it, none where none was; they stay until the end of
    the transaction."""
    rows = connection.execute(_CURRENT_FENCES, {"of_hosts": sorted(hosts)})
    return {row.host: int(row.fence) for row in rows}


_CURRENT_FENCES = (
    sa.select(fences.c.host, fences.c.fence)
    .where(fences.c.host.in_(sa.bindparam("of_hosts", expanding=True)))
    .order_by(fences.c.host)
    .with_for_update()
)


def next_fence(connection: sa.Connection, host: str, worker: str) -> int:
    """As :func:`next_fences`."""
    return next_fences(connection, (host,), worker)[host]


def current_fence(connection: sa.Connection, host: str) -> int:
    """As :func:`current_fences`, 0 where no number was given."""
    return current_fences(connection, (host,)).get(host, 0)
