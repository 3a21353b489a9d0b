"""The two databases, as runs use and abuse them: a fresh one each, stopped, or out of space."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from tests.faults.controller import Orders
from tests.faults.zygote import Child, Zygote
from tests.unit.store.postgresql import Server


class Database(Protocol):
    """``stop`` keeps the database from everybody for a while, ``fill`` the disk of what the
    ``children`` write; both come back when it is over."""

    def fresh(self, directory: Path) -> str:
        """The URL of a new, migrated database, which DBOS knows as well."""
        ...

    def stop(self, url: str, seconds: float) -> None: ...

    def fill(self, url: str, seconds: float, children: Callable[[], Iterable[Child]]) -> None: ...

    def drop(self, url: str) -> None: ...


class Sqlite:
    def __init__(self, zygote: Zygote, directory: Path) -> None:
        self._template = directory
        _prepare(zygote, _sqlite_url(directory))

    def fresh(self, directory: Path) -> str:
        for file in self._template.glob("store*"):
            shutil.copy(file, directory)
        return _sqlite_url(directory)

    def stop(self, url: str, seconds: float) -> None:
        """A file cannot be stopped; nobody else writes meanwhile."""
        connection = sqlite3.connect(str(sa.make_url(url).database), timeout=30)
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(seconds)
        connection.close()

    def fill(self, url: str, seconds: float, children: Callable[[], Iterable[Child]]) -> None:
        """The kernel refuses every write that makes a file longer."""
        until = time.monotonic() + seconds
        limited: dict[int, Child] = {}
        while time.monotonic() < until:
            limited |= {child.pid: child for child in children()}
            _limit_files(limited.values(), 0)
            time.sleep(0.05)
        _limit_files(limited.values(), resource.RLIM_INFINITY)

    def drop(self, url: str) -> None:
        """The test's directory goes with its files."""


class Postgresql:
    def __init__(self, zygote: Zygote, server: Server) -> None:
        self._server = server
        # The kernel ends the server with the thread that started it, so that thread stays.
        self._keeper = ThreadPoolExecutor(1, "server")
        self._template = server.migrated()
        _prepare(zygote, self._template)

    def fresh(self, directory: Path) -> str:
        return self._server.copy(self._template)

    def stop(self, url: str, seconds: float) -> None:
        """Really: the server ends, as in a crash where that is for less than half a second."""
        self._server.stop(signal.SIGQUIT if seconds < 0.5 else signal.SIGINT)
        time.sleep(seconds)
        self._keeper.submit(self._server.start).result()

    def fill(self, url: str, seconds: float, children: Callable[[], Iterable[Child]]) -> None:
        """The server says so for whatever is added to the log."""
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(_FULL)
            connection.exec_driver_sql(
                "CREATE TRIGGER full_disk BEFORE INSERT ON events EXECUTE FUNCTION full_disk()"
            )
            time.sleep(seconds)
            connection.exec_driver_sql("DROP TRIGGER full_disk ON events")
        engine.dispose()

    def drop(self, url: str) -> None:
        self._server.drop(url)


_FULL = """
CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END $$
"""


def _sqlite_url(directory: Path) -> str:
    return f"sqlite:///{directory}/store.sqlite"


def _prepare(zygote: Zygote, url: str) -> None:
    child = zygote.fork(Orders(url, os.devnull))
    while child.status is None:
        time.sleep(0.02)
    assert child.status == 0


def _limit_files(children: Iterable[Child], size: int) -> None:
    for child in children:
        if child.status is None:
            with suppress(ProcessLookupError):  # reaped, and not told yet
                _, hard = resource.prlimit(child.pid, resource.RLIMIT_FSIZE)
                soft = hard if size == resource.RLIM_INFINITY else size
                resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (soft, hard))
