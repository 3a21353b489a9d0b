"""Opening the database: SQLite by default, PostgreSQL by its URL, migrated at the door."""

from __future__ import annotations

import fcntl
import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.compiler import compiles

from suture.store.errors import DeadlockError, StoreError, refused
from suture.store.query import BUSY_TIMEOUT_S, SCHEMA, Query, sqlite_values, utc

T = TypeVar("T")

IDLE_S = 15.0

_IDLE = "suture_idle_s"
_ENDED_IDLE = "25P03"  # idle_in_transaction_session_timeout
_DEADLOCK = "40P01"

_LAST = "suture.last"

_DRIVERS = ("sqlite", "postgresql", "postgresql+psycopg")
_SECRETS = ("password", "sslpassword")

# libpq's: seconds, and milliseconds for what was sent and is not acknowledged. Without an encoding
# a database of SQL_ASCII answers in bytes.
_LIBPQ = {
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


class Store:
    """An open database. ``begin()`` is a transaction that takes the write lock at once, so that
    what it reads cannot change before it writes; ``read()`` only reads."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        # SQLite's own lock is waited for by sleeping; threads of one process queue here instead.
        self._turn: AbstractContextManager[Any] = (
            threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()
        )

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        with self._turn, explained(self.engine), self.engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            with _last_acts(connection):
                yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        with explained(self.engine), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def query(self) -> Iterator[Query]:
        with self.read() as connection:
            yield query_of(connection)

    def close(self) -> None:
        self.engine.dispose()


def at_the_end(
    connection: sa.Connection, act: Callable[[sa.Connection, Sequence[T]], None], given: T
) -> None:
    """Have ``act`` be called last in the transaction, once, with everything given to it."""
    acts: dict[Any, list[T]] = connection.info[_LAST]
    acts.setdefault(act, []).append(given)


@contextmanager
def _last_acts(connection: sa.Connection) -> Iterator[None]:
    acts: dict[Callable[[sa.Connection, Sequence[Any]], None], list[Any]] = {}
    info = connection.info  # which cannot be asked for any more once the connection is lost
    info[_LAST] = acts
    try:
        yield
        for act, given in acts.items():
            act(connection, given)
    finally:
        del info[_LAST]


def query_of(connection: sa.Connection) -> Query:
    """Plain SQL within the transaction of ``connection``."""

    def on_sqlite(sql: str, *values: Any) -> sa.CursorResult[Any]:
        return connection.exec_driver_sql(sql, sqlite_values(values))

    def on_postgresql(sql: str, *values: Any) -> sa.CursorResult[Any]:
        given = (utc(value) if isinstance(value, datetime) else value for value in values)
        return connection.exec_driver_sql(sql.replace("?", "%s"), tuple(given))

    return on_sqlite if connection.dialect.name == "sqlite" else on_postgresql


def open_store(url: str, *, idle_s: float = IDLE_S) -> Store:
    """Open, create or upgrade the database at ``url``; raises :class:`StoreError`. For ``idle_s``
    see :func:`release_when_idle`."""
    engine = make_engine(url, idle_s=idle_s)
    store = Store(engine)
    try:
        with explained(engine), _migration_lock(engine):
            _migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return store


def make_engine(url: str, *, idle_s: float = IDLE_S) -> sa.Engine:
    """An engine with the settings that durability needs, WAL and ``synchronous=FULL``, or that
    have a dead network noticed."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in _DRIVERS:
        raise StoreError(
            "what is given as the database is not a database URL",
            "Write sqlite:////path/file.sqlite or postgresql+psycopg://user@host/name, in "
            "SUTURE_DATABASE or for `suture db migrate`.",
        )
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(
            parsed,
            pool_pre_ping=True,
            connect_args={key: _LIBPQ[key] for key in _LIBPQ.keys() - parsed.query.keys()},
            execution_options={_IDLE: idle_s},
        )
    if parsed.database:
        private_file(Path(parsed.database))
    engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S})
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def shown(url: sa.URL) -> str:
    """Without its secrets, which may be parameters of libpq's as well."""
    hidden = {name: "hidden" for name in _SECRETS if name in url.query}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def release_when_idle(connection: sa.Connection, most_s: float = math.inf) -> None:
    """Have PostgreSQL end this transaction, and give its locks to others, where this process says
    nothing in it for the engine's ``idle_s``, or ``most_s``: because it was frozen, or its network
    is dead. What it then tries is a :class:`StoreError`, and nothing of the transaction is
    written."""
    if connection.dialect.name == "postgresql":
        idle_s = min(most_s, connection.get_execution_options().get(_IDLE, IDLE_S))
        connection.exec_driver_sql(
            f"SET LOCAL idle_in_transaction_session_timeout = {round(idle_s * 1000)}"
        )


def upsert(dialect: str, table: sa.Table) -> Any:
    """An INSERT that can say what becomes of a row that is there, which is each dialect's own."""
    if dialect != "postgresql":
        return sqlite_insert(table)
    # Takes 20 ms to import, and most commands work on SQLite.
    from sqlalchemy.dialects.postgresql import insert

    return insert(table)


def now_s() -> sa.ColumnElement[float]:
    """The database's clock, in seconds since the epoch: all machines that share it have one."""
    return _Now()


class _Now(sa.sql.functions.GenericFunction[float]):
    type = sa.Float()
    inherit_cache = True


@compiles(_Now, "sqlite")
def _sqlite_now(element: _Now, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(_Now, "postgresql")
def _postgresql_now(element: _Now, compiler: Any, **options: Any) -> str:
    return "extract(epoch FROM clock_timestamp())::float"


def private_file(path: Path) -> None:
    """Make sure of a file, and a directory for it, that its owner alone reads and writes."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror}",
            "Choose another directory with --home, or mend its owner and mode.",
        ) from None


def _prepare_sqlite(connection: Any, record: Any) -> None:
    # Transactions begin where this program says so, not where the driver guesses.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def explained(engine: sa.Engine) -> Iterator[None]:
    """Driver errors in an operator's words."""
    try:
        yield
    except (sa.exc.InterfaceError, sa.exc.DatabaseError) as error:
        if isinstance(error, sa.exc.IntegrityError):
            raise
        place = shown(engine.url)
        state = getattr(error.orig, "sqlstate", None)
        if state == _DEADLOCK:
            raise DeadlockError(
                f"another process changed the same rows of {place} in the opposite order",
                "Nothing of it was written. Do it again.",
            ) from error
        if state == _ENDED_IDLE:
            raise StoreError(
                f"the database {place} ended a transaction in which this process stood still",
                "Nothing of it was written. Do it again.",
            ) from error
        raise refused(place, error.orig) from error


@contextmanager
def _migration_lock(engine: sa.Engine) -> Iterator[None]:
    """Two processes that start at once migrate one after the other."""
    if engine.dialect.name != "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT pg_advisory_lock(727473)")
            try:
                yield
            finally:
                connection.exec_driver_sql("SELECT pg_advisory_unlock(727473)")
        return
    if not engine.url.database:
        yield
        return
    lock = os.open(f"{engine.url.database}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _migrate(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        current = _schema(connection)
        if current == SCHEMA:
            return
        if current is None:
            _refuse_narrow(connection)
        # Every command opens a database and hardly any has to migrate it.
        from suture.store.upgrading import is_known, upgrade

        if current is not None and not is_known(current):
            raise StoreError(
                f"the database was written by a newer Suture (schema {current})",
                "Install that version again, or use another --home.",
            )
        upgrade(connection)


def _refuse_narrow(connection: sa.Connection) -> None:
    """Texts of hosts and feeds are of all languages."""
    if connection.dialect.name == "sqlite":
        return
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise StoreError(
            f"the database {shown(connection.engine.url)} has the encoding {encoding}, not UTF8",
            "Make it anew: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'.",
        )


def _schema(connection: sa.Connection) -> str | None:
    """The migration that the database is at, None for a new one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
