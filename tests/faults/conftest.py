"""What runs share in one process of pytest: the zygote, and a server of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import zygote
from tests.faults.databases import Database, Postgresql, Sqlite
from tests.faults.zygote import Zygote
from tests.unit.store import postgresql


@pytest.fixture(scope="session")
def controllers() -> Iterator[Zygote]:
    with zygote.running() as running:
        yield running


@pytest.fixture(scope="session")
def sqlite(controllers: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Sqlite(controllers, tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def server(controllers: Zygote) -> Iterator[Database]:
    """A server that nobody else relies on: it is stopped again and again."""
    if reason := postgresql.missing():
        pytest.skip(reason)
    with postgresql.running() as server:
        yield Postgresql(controllers, server)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Database:
    """By its name, ``sqlite`` or ``postgresql``."""
    fixture: Database = request.getfixturevalue(
        {"sqlite": "sqlite", "postgresql": "server"}[request.param]
    )
    return fixture
