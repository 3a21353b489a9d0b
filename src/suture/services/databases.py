"""Where an installation keeps its data, and moving it to another database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from suture.core.documents import Document
from suture.engine import membership
from suture.services import evidence, fleet, working
from suture.services.errors import RefusedError
from suture.services.workspace import Workspace
from suture.store import copying, rollouts, workers
from suture.store.database import Store, open_store, shown
from suture.store.query import SCHEMA

_PROOF_S = 3 * membership.HEARTBEAT_S


class DatabaseStatus(Document, frozen=True):
    """``size`` is in bytes; ``rows`` by table."""

    place: str
    kind: str
    schema: str
    size: int
    rows: Mapping[str, int]
    unfinished: tuple[str, ...]
    workers: tuple[working.WorkerView, ...]


class Moved(Document, frozen=True):
    """What was copied. ``head`` is the hash of the last event, the same in both databases;
    ``unfinished`` are the rollouts that go on in the target."""

    source: str
    target: str
    rows: Mapping[str, int]
    events: int
    head: str
    unfinished: tuple[str, ...]


def status(workspace: Workspace) -> DatabaseStatus:
    listed = working.listing(workspace)
    with fleet.opened(workspace) as store:
        with store.read() as connection:
            unfinished = rollouts.to_drive(connection)
            size = _size(connection)
        return DatabaseStatus(
            place=_place(store),
            kind=store.engine.dialect.name,
            schema=SCHEMA,
            size=size,
            rows=copying.rows(store),
            unfinished=unfinished,
            workers=listed,
        )


def migrate(source: str, target: str) -> Moved:
    """Copy the database at the URL ``source`` to the empty one at ``target``, and check the copy.

    Raises :class:`RefusedError` while anybody is at work on the source, where the target holds
    anything, where the source's event log is broken, and where the copy differs.
    """
    _require_file(source)
    old, new = open_store(source), open_store(target)
    try:
        _refuse_same(old, new)
        _refuse_workers(old)
        _refuse_full(new)
        before = evidence.verify_store(old)
        if not before.is_whole:
            raise RefusedError(
                "the event log of the source is not whole: "
                + (before.reason or f"{', '.join(before.altered[:3])} altered"),
                "Find out who changed it: suture evidence verify",
            )
        expected = copying.rows(old)
        copied = copying.copy(old, new)
        after = evidence.verify_store(new)
        if copied != expected or after != before:
            raise RefusedError(
                "the copy differs from the source, where something has been written meanwhile",
                "Drop the target, stop whatever uses the source, and migrate again.",
            )
        with new.read() as connection:
            unfinished = rollouts.to_drive(connection)
        return Moved(
            source=_place(old),
            target=_place(new),
            rows=copied,
            events=after.events,
            head=after.head,
            unfinished=unfinished,
        )
    finally:
        old.close()
        new.close()


def _require_file(source: str) -> None:
    path = Path(source.removeprefix("sqlite:///"))
    if source.startswith("sqlite:///") and not path.is_file():
        raise RefusedError(f"there is no database {path}", "See where it is: suture db status")


def _refuse_same(old: Store, new: Store) -> None:
    if old.engine.url == new.engine.url:
        raise RefusedError("source and target are the same database", "Name another target.")


def _refuse_workers(store: Store) -> None:
    """Whoever is listed and not known to be gone is watched for some heartbeats."""
    watch = membership.Watch()
    until = time.monotonic() + _PROOF_S
    while True:
        with store.read() as connection:
            listed = [one for one in workers.listing(connection) if not membership.is_gone(one)]
        watch.alive(listed)
        for one in listed:
            if watch.is_proved(one):
                raise RefusedError(
                    f"worker {one.id} is at work on the source",
                    "Stop all workers and rollouts first; see them: suture worker list",
                )
        if not listed or time.monotonic() > until:
            return
        time.sleep(membership.HEARTBEAT_S / 2)


def _refuse_full(store: Store) -> None:
    full = [name for name, count in copying.rows(store).items() if count]
    if full:
        raise RefusedError(
            f"the target is not empty: {', '.join(full[:3])}",
            "Make a new, empty database for it.",
        )


def _place(store: Store) -> str:
    return shown(store.engine.url)


def _size(connection: sa.Connection) -> int:
    if connection.dialect.name == "postgresql":
        query = "SELECT pg_database_size(current_database())"
        return int(connection.exec_driver_sql(query).scalar_one())
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    return int(pages) * int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())
