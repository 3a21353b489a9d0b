"""A rollout driven over pretend hosts, by this process or by one that is killed."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from suture.core import chain
from suture.core.documents import decode
from suture.core.planning.plan import Plan
from suture.core.rollout.state import HostPhase
from suture.engine import ticks
from suture.engine.driver import driving
from suture.engine.stepping import StepFinished
from suture.engine.work import PATCHING
from suture.store import events, plans, rollouts
from suture.store.database import Store, open_store
from tests.unit.engine.pretend import PretendRunner

ROOT = Path(__file__).parents[3]

STEPS = PATCHING


def drive(store: Store, runner: PretendRunner) -> ticks.Tick:
    with driving(store, runner, at_once=8, rollout="r1") as driver:
        return driver.drive("r1", on_event=lambda event: None, on_tick=lambda tick: None)


def phases(store: Store) -> dict[str, HostPhase]:
    with store.read() as connection:
        stored = rollouts.get(connection, "r1")
    assert stored is not None
    return rollouts.host_phases(stored.state)


def step_events(store: Store) -> list[tuple[str, str]]:
    with store.read() as connection:
        log = list(events.stream(connection, subject="r1"))
    return [(e.host, decode(e.data, StepFinished).step) for e in log if e.kind == "step.finished"]


def log_is_whole(store: Store) -> bool:
    with store.read() as connection:
        return chain.verify(events.stream(connection)).broken_at is None


def spawn(directory: Path, stop_at: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.unit.engine.pretend",
            f"sqlite:///{directory}/store.sqlite",
            str(directory),
            "r1",
            stop_at,
        ],
        cwd=ROOT,
    )


def stored(tmp_path: Path, plan: Plan) -> Store:
    """A rollout of the plan, not yet driven."""
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite")
    with store.begin() as connection:
        plans.save(connection, plan)
    ticks.start_rollout(
        store, plan, "r1", actor="kim", without_rehearsal=False, now=datetime.now(UTC)
    )
    return store
