"""A rollout of three hosts in two waves, not yet driven."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from suture.core.planning.plan import Plan
from suture.engine import ticks
from suture.store import plans
from suture.store.database import Store, open_store
from tests.unit.core import builders


@pytest.fixture
def plan() -> Plan:
    return builders.plan(
        [builders.wave(0, ["web1"], soak_s=0.0), builders.wave(1, ["web2", "web3"], soak_s=0.0)]
    )


@pytest.fixture
def store(tmp_path: Path, plan: Plan) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/store.sqlite")
    with opened.begin() as connection:
        plans.save(connection, plan)
    ticks.start_rollout(
        opened, plan, "r1", actor="kim", without_rehearsal=False, now=datetime.now(UTC)
    )
    yield opened
    opened.close()
