"""On PostgreSQL, transactions that write events stand side by side; decisions do not."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from suture.core import chain
from suture.engine import records
from suture.engine.records import OvertakenError
from suture.store import events, workers
from suture.store.database import Store, open_store
from suture.store.errors import StoreError
from suture.store.workers import Worker
from tests.unit.store import postgresql

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)

pytestmark = pytest.mark.xdist_group("postgresql")


@pytest.fixture
def store(server: postgresql.Server) -> Iterator[Store]:
    opened = open_store(server.migrated())
    with opened.begin() as connection:
        workers.enlist(connection, Worker(id="w1", machine="m", pid=1))
    yield opened
    opened.close()


def _append(connection: sa.Connection, kind: str) -> None:
    """Refused, instead of waiting for ever, where it has to wait for the test itself."""
    connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
    events.append(connection, at=NOW, kind=kind, subject="r1")


def test_who_has_events_to_write_keeps_nobody_from_writing_others(store: Store) -> None:
    with store.begin() as slow:
        _append(slow, "slow")
        with store.begin() as quick:
            _append(quick, "quick")
    with store.read() as connection:
        log = list(events.stream(connection))
    assert [event.kind for event in log] == ["quick", "slow"]
    assert chain.verify(log).broken_at is None


def test_what_was_given_up_leaves_no_event_to_the_next_transaction(store: Store) -> None:
    with pytest.raises(ValueError, match="no"), store.begin() as connection:
        _append(connection, "given up")
        raise ValueError("no")
    with store.begin() as connection:
        _append(connection, "next")
    with store.read() as connection:
        assert [event.kind for event in events.stream(connection)] == ["next"]


def test_a_decision_waits_for_another_and_not_for_reports(store: Store) -> None:
    with records.deciding(store) as decision:
        _append(decision, "decided")
        with records.writing(store) as report:
            _append(report, "reported")
        # The turn is waited for in the first statement, before a test could say for how long.
        with store.engine.connect() as other:
            query = "SELECT pg_try_advisory_xact_lock(727475)"
            assert other.exec_driver_sql(query).scalar() is False
    with records.deciding(store) as connection:
        found = [event.kind for event in events.stream(connection)]
    assert found == ["reported", "decided"]


def test_a_worker_s_heart_beats_while_it_writes_and_nobody_gives_it_up_meanwhile(
    store: Store,
) -> None:
    with records.writing(store) as connection:
        assert workers.is_listed(connection, "w1")
        with store.begin() as beating:
            beating.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
            assert workers.beat(beating, "w1")
        with pytest.raises(StoreError, match="lock timeout"), store.begin() as other:
            other.exec_driver_sql("SET LOCAL lock_timeout = '200ms'")
            workers.dismiss(other, "w1")


def test_of_two_that_wait_for_one_another_both_get_there_in_the_end(
    store: Store,
) -> None:
    both_began = threading.Barrier(2)
    tries: list[str] = []

    def fence(mine: str, other: str) -> None:
        tried = False
        while True:
            try:
                with records.writing(store) as connection:
                    workers.next_fence(connection, mine, "w1")
                    if not tried:
                        both_began.wait(timeout=30)
                    tried = True
                    workers.next_fence(connection, other, "w1")
                return
            except OvertakenError:
                tries.append(mine)

    threads = [threading.Thread(target=fence, args=names) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tries  # more than one where it was quicker back than the other got on
    with store.begin() as connection:
        assert {workers.current_fence(connection, host) for host in "ab"} == {2}
