"""The event log cannot be changed without telling."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy.exc import IntegrityError

from suture.core import chain
from suture.store import events
from suture.store.database import Store

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)


def _append(store: Store, kind: str = "step.finished") -> None:
    with store.begin() as connection:
        events.append(connection, at=NOW, kind=kind, subject="r1", host="web1", data={"a": 1})


def test_events_read_back_are_a_whole_chain(store: Store) -> None:
    for _ in range(5):
        _append(store)
    with store.read() as connection:
        read = list(events.stream(connection))
    verdict = chain.verify(read)
    assert (verdict.events, verdict.broken_at, verdict.head) == (5, None, read[-1].hash)


def test_what_comes_before_the_last_events_of_a_rollout(store: Store) -> None:
    with store.begin() as connection:
        for minute in range(6):
            at = NOW + timedelta(minutes=minute)
            for subject, kind in (("r1", "step.started"), ("r1", "step.finished"), ("r2", "x.y")):
                events.append(connection, at=at, kind=kind, subject=subject)
    with store.read() as connection:
        found = events.before_last(connection, "r1", 2, but="step.started")
        shown = [
            one for one in events.stream(connection, subject="r1") if found and one.seq > found.seq
        ]
        assert found == events.Earlier(4, 11, NOW)
        assert [one.kind for one in shown if one.kind != "step.started"] == ["step.finished"] * 2
        assert events.before_last(connection, "r1", 6, but="step.started") is None
        assert events.before_last(connection, "r1", 6) == events.Earlier(6, 8, NOW)
        assert events.before_last(connection, "r3", 0) is None


def test_when_the_newest_of_a_kind_were_written(store: Store) -> None:
    with store.begin() as connection:
        for seconds in (0, 30, 60, 90):
            at = NOW + timedelta(seconds=seconds)
            for kind in ("host.patching", "step.started"):
                events.append(connection, at=at, kind=kind, subject="r1")
    with store.read() as connection:
        found = events.times(connection, "host.patching", after=NOW + timedelta(seconds=30))
        assert found == tuple(NOW + timedelta(seconds=one) for one in (60, 90))
        assert len(events.times(connection, "host.patching", after=NOW - timedelta(days=1))) == 4


def test_the_database_refuses_changes(store: Store) -> None:
    _append(store)
    statements = ["UPDATE events SET kind = 'x'", "DELETE FROM events"]
    if store.engine.dialect.name == "postgresql":
        statements.append("TRUNCATE events")
    for statement in statements:
        with pytest.raises(IntegrityError, match="append-only"), store.begin() as connection:
            connection.exec_driver_sql(statement)


def test_a_change_behind_the_triggers_breaks_the_chain(store: Store) -> None:
    for _ in range(3):
        _append(store)
    on_sqlite = store.engine.dialect.name == "sqlite"
    with store.begin() as connection:
        connection.exec_driver_sql(
            "DROP TRIGGER events_no_update"
            if on_sqlite
            else "ALTER TABLE events DISABLE TRIGGER events_append_only"
        )
        connection.exec_driver_sql("UPDATE events SET host = 'web2' WHERE seq = 2")
    with store.read() as connection:
        assert chain.verify(events.stream(connection)).broken_at == 2


def test_two_writers_at_once_do_not_fork_the_chain(store: Store) -> None:
    def writing() -> None:
        for _ in range(20):
            _append(store)

    threads = [threading.Thread(target=writing) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        verdict = chain.verify(events.stream(connection))
    assert (verdict.events, verdict.broken_at) == (80, None)


def test_events_of_one_subject(store: Store) -> None:
    _append(store)
    with store.begin() as connection:
        events.append(connection, at=NOW, kind="plan.created", subject="p1")
    with store.read() as connection:
        found = list(events.stream(connection, subject="p1"))
    assert [event.kind for event in found] == ["plan.created"]
    assert replace(found[0], data="") != found[0]
