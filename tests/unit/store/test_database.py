"""Opening, migrating and refusing databases."""

import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from suture.store.database import Store, make_engine, open_store, shown
from suture.store.errors import StoreError
from suture.store.query import SCHEMA
from suture.store.tables import metadata
from suture.store.upgrading import newest
from tests.unit.store import postgresql


def test_the_migrations_make_exactly_the_tables_that_the_code_names(store: Store) -> None:
    with store.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_sqlite_is_durable_and_private(store: Store, tmp_path: Path) -> None:
    with store.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert stat.S_IMODE((tmp_path / "store.sqlite").stat().st_mode) == 0o600


def test_many_processes_may_open_a_new_database_at_once(new_database: str) -> None:
    failures: list[BaseException] = []

    def opening() -> None:
        try:
            open_store(new_database).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=opening) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.begin() as connection:
        connection.exec_driver_sql("INSERT INTO fences VALUES ('web1', 7, 'w1')")
        raise RuntimeError
    with store.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM fences").scalar() == 0


def test_who_keeps_a_file_locked_is_to_be_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    first = open_store(url)
    monkeypatch.setattr("suture.store.database.BUSY_TIMEOUT_S", 0)
    second = open_store(url)
    locked = pytest.raises(StoreError, match="is locked: another")
    with first.begin(), locked as raised, second.begin():
        pass
    assert "fuser" in raised.value.remedy
    first.close()
    second.close()


def test_a_newer_schema_is_refused(new_database: str) -> None:
    opened = open_store(new_database)
    with opened.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    opened.close()
    with pytest.raises(StoreError, match="newer Suture") as caught:
        open_store(new_database)
    assert "--home" in caught.value.remedy


@pytest.mark.xdist_group("postgresql")
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_new_database_that_cannot_hold_every_text_is_refused(
    server: postgresql.Server, encoding: str
) -> None:
    narrow = server.empty(f"ENCODING '{encoding}' LOCALE 'C'")
    with pytest.raises(StoreError, match=f"encoding {encoding}, not UTF8") as refused:
        open_store(narrow)
    assert "ENCODING 'UTF8'" in refused.value.remedy


def test_a_damaged_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_store(f"sqlite:///{tmp_path}/store.sqlite")


def test_nonsense_as_url_is_explained_without_repeating_it() -> None:
    with pytest.raises(StoreError) as caught:
        open_store("secret-password")
    assert "secret" not in caught.value.message


def test_a_database_at_the_newest_schema_is_known_without_alembic() -> None:
    assert newest() == SCHEMA


def test_a_dead_network_is_noticed_and_the_url_has_the_last_word() -> None:
    engine = make_engine("postgresql+psycopg://suture@db/suture?keepalives_idle=60")
    seen: dict[str, object] = {}

    @sa.event.listens_for(engine, "do_connect")
    def see(dialect: object, record: object, args: object, parameters: dict[str, object]) -> None:
        seen.update(parameters)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        engine.connect()
    assert (seen["keepalives_idle"], seen["tcp_user_timeout"]) == ("60", 20_000)


@pytest.mark.parametrize(
    "url",
    [
        "no url",
        "postgres://suture@db/suture",
        "postgresql+psycopg://db:port/x",
        "mysql://db/suture",
    ],
)
def test_what_is_no_database_of_ours_is_said(url: str) -> None:
    with pytest.raises(StoreError, match="not a database URL"):
        make_engine(url)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql+psycopg://a:secret@db/x", "postgresql+psycopg://a:***@db/x"),
        (
            "postgresql+psycopg://a@db/x?password=secret&sslmode=require&sslpassword=secret",
            "postgresql+psycopg://a@db/x?password=hidden&sslmode=require&sslpassword=hidden",
        ),
        ("sqlite:////srv/suture.sqlite", "sqlite:////srv/suture.sqlite"),
    ],
)
def test_a_password_is_never_shown(url: str, seen: str) -> None:
    assert shown(sa.make_url(url)) == seen
