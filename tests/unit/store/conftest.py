"""A database of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from suture.store.database import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/store.sqlite")
    yield opened
    opened.close()
