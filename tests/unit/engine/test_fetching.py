"""Packages brought ahead of time over pretend hosts, whatever becomes of whoever brings them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from suture.core import chain
from suture.core.evidence import Step
from suture.core.planning.plan import Plan
from suture.core.rollout.state import HostPhase, RolloutStatus, Signal
from suture.engine import records, ticks
from suture.engine.driver import driving
from suture.engine.work import PATCHING, FetchWork, HostWork
from suture.store import events, plans, rollouts, signals, workers
from suture.store.database import Store, open_store
from tests.unit.core import builders
from tests.unit.engine.pretend import PretendRunner

ROOT = Path(__file__).parents[3]


@pytest.fixture
def plan() -> Plan:
    """web2 has its place when web1 has ended, and web3 a second later."""
    waves = [builders.wave(0, ["web1", "web2"], parallel=1, soak_s=1.0), builders.wave(1, ["web3"])]
    return builders.plan(waves, predownload_s=60.0)


@pytest.fixture
def store(tmp_path: Path, plan: Plan) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/store.sqlite")
    with opened.begin() as connection:
        plans.save(connection, plan)
    now = datetime.now(UTC)
    ticks.start_rollout(opened, plan, "r1", actor="kim", without_rehearsal=False, now=now)
    yield opened
    opened.close()


def _drive(store: Store, runner: PretendRunner) -> ticks.Tick:
    with driving(store, runner, at_once=8, rollout="r1") as driver:
        return driver.drive("r1", on_event=lambda event: None, on_tick=lambda tick: None)


def _told(store: Store, host: str) -> list[str]:
    with store.read() as connection:
        log = list(events.stream(connection, subject="r1"))
        assert chain.verify(events.stream(connection)).broken_at is None
    return [one.kind for one in log if one.host == host and one.kind.startswith("host.")]


def _ended_well(tick: ticks.Tick) -> bool:
    phases = set(rollouts.host_phases(tick.rollout.state).values())
    return tick.rollout.state.status is RolloutStatus.DONE and phases == {HostPhase.DONE}


def test_those_that_wait_have_their_packages_before_they_start(
    store: Store, tmp_path: Path
) -> None:
    runner = PretendRunner(tmp_path)
    assert _ended_well(_drive(store, runner))
    assert "web3" in runner.fetched
    assert _told(store, "web3") == ["host.fetching", "host.fetched", "host.patching", "host.done"]
    assert len(runner.record("web3")["done"]) == len(PATCHING) + 1


@pytest.mark.parametrize("raises", ["", "fetch"])
def test_a_fetch_that_fails_is_a_note(store: Store, tmp_path: Path, raises: str) -> None:
    runner = PretendRunner(tmp_path, fails={"web3": "fetch"}, raises=raises)
    assert _ended_well(_drive(store, runner))
    assert _told(store, "web3")[:3] == ["host.fetching", "host.not-fetched", "host.patching"]


@pytest.mark.parametrize("when", ["before", "amid"])
def test_one_that_a_crash_cut_off_goes_on(store: Store, tmp_path: Path, when: str) -> None:
    killed = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.unit.engine.pretend",
            f"sqlite:///{tmp_path}/store.sqlite",
            str(tmp_path),
            "r1",
            f"fetch:{when}",
        ],
        cwd=ROOT,
    )
    assert killed.wait(60) == -signal.SIGKILL
    runner = PretendRunner(tmp_path)
    assert _ended_well(_drive(store, runner))
    for host in ("web1", "web2", "web3"):
        done = json.loads((tmp_path / f"{host}.json").read_text())["done"]
        assert len(done) == len(set(done))
    fetches = [one for one in runner.record("web3")["done"] if one.endswith(Step.FETCH)]
    assert fetches == ["r1:web3:fetch:fetch"]


def test_only_the_newest_fence_says_how_a_fetch_ended(store: Store, plan: Plan) -> None:
    now = datetime.now(UTC)
    assert [host.host for host in ticks.tick(store, plan, "r1", now).fetching] == ["web2", "web3"]
    work = FetchWork("r1", "web2")
    with store.begin() as connection:
        first = records.begin_fetch(connection, "w1", work, now)
        second = records.begin_fetch(connection, "w2", work, now)
        assert first is not None
        assert second is not None
        records.finish_fetch(connection, work, "", now, fence=first)
        assert workers.current_fence(connection, "web2") == second
    assert _told(store, "web2") == ["host.fetching"]
    with store.begin() as connection:
        records.finish_fetch(connection, work, "no room", now, fence=second)
        records.finish_fetch(connection, work, "", now, fence=second)
        assert records.begin_fetch(connection, "w1", work, now) is None
    assert _told(store, "web2") == ["host.fetching", "host.not-fetched"]


def test_none_is_begun_where_the_rollout_was_stopped_meanwhile(store: Store, plan: Plan) -> None:
    now = datetime.now(UTC)
    ticks.tick(store, plan, "r1", now)
    with store.begin() as connection:
        signals.give(connection, "r1", Signal.ABORT, actor="kim", reason="", now=now)
    ticks.take_signals(store, plan, "r1", now)
    for host in ("web2", "web3"):
        with store.begin() as connection:
            assert records.begin_fetch(connection, "w1", FetchWork("r1", host), now) is None
    assert _told(store, "web2") == ["host.fetching", "host.not-fetched"]
    done = HostWork("r1", "web1", 0, way_back=False)
    with store.begin() as connection:
        records.finish_host(connection, done, HostPhase.DONE, "", now)
    assert ticks.tick(store, plan, "r1", now).is_settled


def test_fetches_of_other_rollouts_are_known(store: Store, plan: Plan) -> None:
    ticks.tick(store, plan, "r1", datetime.now(UTC))
    with store.read() as connection:
        others = rollouts.elsewhere(connection, "r2", 5)
    assert (others.at_work, others.fetching) == ((("web1", ""),), (("web2", ""), ("web3", "")))
    assert others.left == 2
