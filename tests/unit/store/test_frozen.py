"""A process that stands still in a transaction on PostgreSQL does not keep the others waiting."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from suture.core import chain
from suture.engine.writing import Writer
from suture.store import events, workers
from suture.store.database import Store, open_store
from suture.store.errors import StoreError
from suture.store.workers import Worker
from tests.unit.store import postgresql

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
IDLE_S = 0.5

pytestmark = pytest.mark.xdist_group("postgresql")

# Is frozen when its events are written and its transaction has to be committed, and says what came
# of it.
FROZEN = f"""
import os, signal, sys
from datetime import UTC, datetime
from suture.store import events
from suture.store.errors import StoreError
from suture.store.database import at_the_end, open_store

store = open_store(sys.argv[1], idle_s={IDLE_S})
try:
    with store.begin() as connection:
        events.append(connection, at=datetime.now(UTC), kind="frozen", subject="r1")
        at_the_end(connection, lambda connection, given: os.kill(os.getpid(), signal.SIGSTOP), None)
except StoreError as error:
    print(error.message)
with store.begin() as connection:
    events.append(connection, at=datetime.now(UTC), kind="woken", subject="r1")
"""


@pytest.fixture
def url(server: postgresql.Server) -> str:
    return server.migrated()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url, idle_s=IDLE_S)
    with opened.begin() as connection:
        workers.enlist(connection, Worker(id="w1", machine="m", pid=1))
    yield opened
    opened.close()


def _append(store: Store, kind: str) -> None:
    """Refused, instead of waiting for ever, where the lock is not given back."""
    with store.begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '30s'")
        events.append(connection, at=NOW, kind=kind, subject="r1")


def _kinds(store: Store) -> list[str]:
    with store.read() as connection:
        log = list(events.stream(connection))
    assert chain.verify(log).broken_at is None
    return [event.kind for event in log]


def test_a_frozen_process_gives_the_event_log_back(url: str, store: Store) -> None:
    paths = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    command = [sys.executable, "-c", FROZEN, url]
    with subprocess.Popen(command, env=os.environ | paths, stdout=subprocess.PIPE) as frozen:
        assert os.WIFSTOPPED(os.waitpid(frozen.pid, os.WUNTRACED)[1])
        try:
            _append(store, "other")
        finally:
            frozen.send_signal(signal.SIGCONT)
        told, _ = frozen.communicate(timeout=60)
    assert b"ended a transaction in which this process stood still" in told
    assert frozen.returncode == 0
    assert _kinds(store) == ["other", "woken"]


def test_a_heartbeat_that_was_frozen_does_not_keep_its_worker_on_the_list(store: Store) -> None:
    with pytest.raises(StoreError), store.begin() as frozen:
        assert workers.beat(frozen, "w1")
        with store.begin() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '30s'")
            assert workers.dismiss(connection, "w1")
    with store.read() as connection:
        assert workers.listing(connection) == ()


def test_what_a_worker_was_frozen_in_is_written_once(store: Store) -> None:
    tries: list[str] = []

    def act(connection: sa.Connection) -> str:
        events.append(connection, at=NOW, kind="written", subject="r1")
        tries.append("frozen" if not tries else "well")
        if tries[-1] == "frozen":
            time.sleep(4 * IDLE_S)
        return tries[-1]

    writer = Writer(store, "w1")
    assert asyncio.run(writer.transact(act)) == "well"
    writer.close()
    assert _kinds(store) == ["written"]


def test_a_long_read_is_not_ended(store: Store) -> None:
    with store.read() as connection:
        events.head(connection)
        time.sleep(2 * IDLE_S)
        assert events.head(connection) == 0
