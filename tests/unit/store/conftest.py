"""A database of its own for each test, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from suture.store.database import Store, open_store
from tests.unit.store import postgresql

_KINDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")))


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.Server]:
    if reason := postgresql.missing():
        pytest.skip(reason)
    with postgresql.running() as server:
        yield server


@pytest.fixture(params=_KINDS)
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.sqlite"
    server: postgresql.Server = request.getfixturevalue("server")
    return server.empty()


@pytest.fixture(params=_KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/store.sqlite"
    else:
        url = request.getfixturevalue("server").migrated()
    opened = open_store(url)
    yield opened
    opened.close()
