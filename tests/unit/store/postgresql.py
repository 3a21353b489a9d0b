"""A PostgreSQL server for tests, reached through a socket in a directory of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from suture.store.database import open_store
from suture.twin.processes import die_with_parent

_USER = "postgres"
_SETTINGS = ("max_connections=100",)
_FORGETFUL = ("fsync=off", "full_page_writes=off")


def missing() -> str:
    """What keeps a server from running here, empty where nothing does."""
    if _programs() is None:
        return "no initdb in /usr/lib/postgresql or PATH; install postgresql"
    if os.geteuid() == 0 and _USER not in {user.pw_name for user in pwd.getpwall()}:
        return f"PostgreSQL does not run as root, and there is no user {_USER}"
    return ""


class Server:
    """Databases on a running server, by URL; each is nobody else's."""

    def __init__(
        self, directory: Path, programs: Path, user: str | None, settings: Sequence[str]
    ) -> None:
        self._directory = directory
        self._programs = programs
        self._user = user
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count()
        self._template = ""

    def start(self) -> None:
        """And wait until it answers."""
        log = self._directory / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres",
                    *("-D", self._directory / "data", "-k", self._directory),
                    *(word for setting in self._settings for word in ("-c", setting)),
                ],
                user=self._user,
                cwd=self._directory,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,
            )
        _wait(self._directory / ".s.PGSQL.5432", self._process, log)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """``SIGINT`` ends every session, ``SIGQUIT`` does so as a crash would."""
        assert self._process
        self._process.send_signal(number)
        self._process.wait()

    def cpu_s(self) -> float:
        """What the server has used since its start, with its sessions, those that ended too."""
        assert self._process
        ticks = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                _, *fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            used = [int(one) for one in fields[10:14]]
            if path.parent.name == str(self._process.pid):
                ticks += sum(used)
            elif fields[0] == str(self._process.pid):
                ticks += sum(used[:2])
        return ticks / os.sysconf("SC_CLK_TCK")

    def empty(self, options: str = "") -> str:
        """``options`` of CREATE DATABASE, as its encoding."""
        return self._url(self._create("template0", options))

    def migrated(self) -> str:
        """As :func:`open_store` leaves a new one."""
        if not self._template:
            self._template = self._create("template0")
            open_store(self._url(self._template)).close()
        return self._url(self._create(self._template))

    def copy(self, url: str) -> str:
        """Of a database to which nobody is connected."""
        return self._url(self._create(str(sa.make_url(url).database)))

    def drop(self, url: str) -> None:
        self._command(f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)")

    def _create(self, template: str, options: str = "") -> str:
        name = f"store{next(self._numbers)}"
        self._command(f"CREATE DATABASE {name} TEMPLATE {template} {options}")
        return name

    def _command(self, command: str) -> None:
        engine = sa.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(command)
        engine.dispose()

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://{_USER}@/{database}?host={self._directory}"


@contextmanager
def running(*, durable: bool = False, address: str = "") -> Iterator[Server]:
    """Faster where it need not be ``durable``. Over ``address`` it asks for passwords."""
    programs = _programs()
    assert programs is not None
    user = _USER if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="suture-postgresql-"))
    if user:
        shutil.chown(directory, user)
    data = str(directory / "data")
    initdb = (str(programs / "initdb"), "-D", data, "-U", _USER, "-A", "trust", "--no-sync")
    settings = (f"listen_addresses={address}", *_SETTINGS, *(() if durable else _FORGETFUL))
    server = Server(directory, programs, user, settings)
    try:
        subprocess.run(initdb, user=user, cwd=directory, check=True, capture_output=True)
        if address:
            access = directory / "data" / "pg_hba.conf"
            access.write_text("local all all trust\nhost all all 127.0.0.0/8 scram-sha-256\n")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory)


def _wait(socket: Path, server: subprocess.Popen[bytes], log: Path) -> None:
    while "ready to accept connections" not in log.read_text() or not socket.exists():
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)


def _programs() -> Path | None:
    """Debian keeps them out of PATH, by version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None
