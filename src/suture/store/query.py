"""Reading without SQLAlchemy, whose import takes longer than the assessment of one host.

What an assessment reads is asked in plain SQL through a :class:`Query`: over the standard library's
driver where only a SQLite file is read, over a connection of SQLAlchemy everywhere else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from suture.store.errors import refused

BUSY_TIMEOUT_S = 30
SCHEMA = "0008"  # the newest of the migrations

_PART = 500  # values in one IN (…)

T = TypeVar("T")


class Query(Protocol):
    """Asks in SQL, with a ``?`` for each value; answers rows. Times go in aware, and come out as
    :func:`moment` reads them."""

    def __call__(self, sql: str, *values: Any) -> Iterable[Sequence[Any]]: ...


class Reads(Protocol):
    """A database open at least for reading."""

    def query(self) -> AbstractContextManager[Query]: ...

    def close(self) -> None: ...


class SqliteFile:
    """A SQLite file at the newest schema, open for reading alone."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    @contextmanager
    def query(self) -> Iterator[Query]:
        try:
            yield self._ask
        except sqlite3.Error as error:
            raise refused(f"sqlite:///{self._path}", error) from error

    def close(self) -> None:
        self._connection.close()

    def _ask(self, sql: str, *values: Any) -> Iterable[Sequence[Any]]:
        return self._connection.execute(sql, sqlite_values(values))


def open_for_reading(url: str) -> Reads:
    """The database at ``url``; raises :class:`StoreError`. What is not a SQLite file at the newest
    schema is opened the usual way, which migrates it or says what is wrong."""
    path = _sqlite_path(url)
    if path is not None and (connection := _connected(path)) is not None:
        return SqliteFile(path, connection)
    from suture.store.database import open_store

    return open_store(url)


def _sqlite_path(url: str) -> Path | None:
    """The file of a URL that names one and no more."""
    name = url.removeprefix("sqlite:///")
    return None if name in (url, "", ":memory:") or "?" in name else Path(name)


def _connected(path: Path) -> sqlite3.Connection | None:
    # Not mode=ro: the last to close could not put the write-ahead log away, and would leave it.
    place = f"{path.absolute().as_uri()}?mode=rw"
    try:
        connection = sqlite3.connect(place, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    except sqlite3.Error:
        return None
    try:
        connection.execute("PRAGMA query_only=ON")
        (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except (sqlite3.Error, TypeError):
        schema = None
    if schema == SCHEMA:
        return connection
    connection.close()
    return None


def sqlite_values(values: Iterable[Any]) -> tuple[Any, ...]:
    """As they are stored in SQLite: times as text, in UTC."""
    return tuple(
        utc(value).replace(tzinfo=None).isoformat(" ", "microseconds")
        if isinstance(value, datetime)
        else value
        for value in values
    )


def utc(value: datetime) -> datetime:
    """A naive one is a defect."""
    if value.tzinfo is None:
        raise ValueError("a time without a time zone")
    return value.astimezone(UTC)


def moment(stored: datetime | str) -> datetime:
    """A stored time: PostgreSQL's is aware, SQLite's is text, in UTC."""
    value = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def marks(values: Sequence[Any]) -> str:
    """``(?, ?, ?)``"""
    return f"({', '.join('?' * len(values))})"


def parts(values: Iterable[T]) -> Iterator[list[T]]:
    """As many at a time as fit into one IN (…)."""
    rest = iter(values)
    while part := list(islice(rest, _PART)):
        yield part
