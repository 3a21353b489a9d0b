"""Workers: they drive what is there, come and go, and take over from each other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from suture.core import chain
from suture.core.planning.gates import Alerts, Gate
from suture.core.rollout.state import HostPhase, RolloutStatus
from suture.engine import membership, ticks
from suture.engine.driver import driving
from suture.engine.following import follow
from suture.store import events, hosts, plans, rollouts, workers
from suture.store.database import Store, open_store
from tests.unit.core import builders
from tests.unit.engine.pretend import PretendRunner
from tests.unit.store.conftest import new_database, server

__all__ = ["new_database", "server"]

ROOT = Path(__file__).parents[3]
HOSTS = ["web1", "web2", "web3"]
BASTION = "ops@bastion"


@pytest.fixture
def shared(new_database: str) -> Iterator[Store]:
    """On both databases, a rollout of three hosts, of which web3 is behind a jump host and web2 is
    labelled."""
    store = open_store(new_database)
    _start(store, "r1", HOSTS, jumps={"web3": BASTION})
    with store.begin() as connection:
        hosts.save(connection, builders.host("web2", labels=("shop", "berlin")), datetime.now(UTC))
    yield store
    store.close()


def _start(store: Store, rollout: str, names: list[str], jumps: dict[str, str]) -> None:
    plan = builders.plan([builders.wave(0, names, soak_s=0.0)], jumps=jumps)
    with store.begin() as connection:
        plans.save(connection, plan)
    now = datetime.now(UTC)
    ticks.start_rollout(store, plan, rollout, actor="kim", without_rehearsal=True, now=now)


@contextmanager
def _worker(store: Store, directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    url = store.engine.url.render_as_string(hide_password=False)
    program = [sys.executable, "-m", "tests.unit.engine.serving", url, str(directory), *options]
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    with subprocess.Popen(program, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


def _serve(store: Store, runner: PretendRunner) -> None:
    """A worker in this process, until the first rollout is settled."""
    with driving(store, runner, at_once=8) as driver:
        driver.serve(on_settled=lambda tick: driver.stop())


def _phases(store: Store, rollout: str = "r1") -> set[HostPhase]:
    with store.read() as connection:
        stored = rollouts.get(connection, rollout)
    assert stored is not None
    return set(rollouts.host_phases(stored.state).values())


def _is_whole(store: Store) -> bool:
    with store.read() as connection:
        return chain.verify(events.stream(connection)).broken_at is None


def test_a_worker_drives_what_is_there(shared: Store, tmp_path: Path) -> None:
    runner = PretendRunner(tmp_path)
    _serve(shared, runner)
    assert _phases(shared) == {HostPhase.DONE}
    assert _is_whole(shared)
    with shared.read() as connection:
        assert workers.listing(connection) == ()
        assert rollouts.to_drive(connection) == ()


def test_a_killed_worker_is_taken_over(shared: Store, tmp_path: Path) -> None:
    with _worker(shared, tmp_path, "--stop-at", "apply:amid") as killed:
        assert killed.wait(60) == -signal.SIGKILL
    assert HostPhase.PATCHING in _phases(shared)
    runner = PretendRunner(tmp_path)
    _serve(shared, runner)
    assert _phases(shared) == {HostPhase.DONE}
    for host in HOSTS:
        done = runner.record(host)["done"]
        assert len(done) == len(set(done)) == 7
    with shared.read() as connection:
        kinds = {event.kind for event in events.stream(connection)}
    assert "work.taken-over" in kinds
    assert _is_whole(shared)


def test_a_worker_that_is_told_to_stop_lets_go(shared: Store, tmp_path: Path) -> None:
    with _worker(shared, tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with shared.read() as connection:
        assert workers.listing(connection) == ()
    _serve(shared, PretendRunner(tmp_path))
    assert _phases(shared) == {HostPhase.DONE}


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (("--jump", BASTION), {"web1", "web2"}),
        (("--site", "berlin"), {"web1", "web3"}),
        (("--jump", BASTION, "--site", "berlin"), {"web1"}),
        (("--site", "nowhere"), {"web1", "web2", "web3"}),
    ],
)
def test_a_site_has_its_own_worker(
    shared: Store, tmp_path: Path, options: tuple[str, ...], left: set[str]
) -> None:
    with _worker(shared, tmp_path, *options):
        runner = PretendRunner(tmp_path)
        with driving(shared, runner, at_once=8, rollout="r1") as driver:
            driver.drive("r1", on_event=lambda event: None, on_tick=lambda tick: None)
    assert _phases(shared) == {HostPhase.DONE}
    assert {work.split(":")[1] for work in runner.begun} == left


def _start_gated(store: Store) -> None:
    """Rollout r2 of two labelled hosts, whose first wave is looked at."""
    gate = Gate(0.5, alerts=Alerts("http://127.0.0.1:1"))
    first = builders.wave(0, ["web4"], soak_s=1.0, gate=gate)
    plan = builders.plan([first, builders.wave(1, ["web5"])])
    with store.begin() as connection:
        plans.save(connection, plan)
        for name in ("web4", "web5"):
            hosts.save(connection, builders.host(name, labels=("berlin",)), datetime.now(UTC))
    now = datetime.now(UTC)
    ticks.start_rollout(store, plan, "r2", actor="kim", without_rehearsal=True, now=now)


def test_looks_at_a_wave_of_a_site_are_for_a_worker_that_is_bound_to_nothing(
    shared: Store, tmp_path: Path
) -> None:
    _start_gated(shared)
    with _worker(shared, tmp_path, "--site", "berlin"):
        runner = PretendRunner(tmp_path)
        with driving(shared, runner, at_once=8, rollout="r2") as driver:
            driver.drive("r2", on_event=lambda event: None, on_tick=lambda tick: None)
    assert _phases(shared, "r2") == {HostPhase.DONE}
    assert runner.looks == ["r2:gate:0:0", "r2:gate:0:1", "r2:gate:0:2"]
    assert not [work for work in runner.begun if work.startswith("r2:")], "the work is its own"


def test_where_all_are_bound_to_sites_they_do_what_is_of_no_site(
    shared: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks at a wave of the site, and the hosts web1 and web3 of r1, which are of none. They wait
    first, for one that is bound to nothing may only be starting anew."""
    monkeypatch.setattr(membership, "UNBOUND_AWAY_S", 2.0)
    _start_gated(shared)
    runner = PretendRunner(tmp_path)
    settled = set()

    def on_settled(tick: ticks.Tick) -> None:
        settled.add(tick.rollout.state.rollout)
        if settled == {"r1", "r2"}:
            driver.stop()

    with driving(shared, runner, at_once=8, sites=("berlin",)) as driver:
        driver.serve(on_settled=on_settled)
    assert _phases(shared, "r1") == _phases(shared, "r2") == {HostPhase.DONE}
    assert runner.looks == ["r2:gate:0:0", "r2:gate:0:1", "r2:gate:0:2"]
    assert {work.split(":")[1] for work in runner.begun} == {*HOSTS, "web4", "web5"}
    assert _is_whole(shared)


@pytest.mark.parametrize("option", [("--jump", BASTION), ("--site", "berlin")])
def test_a_site_whose_worker_died_is_everybodys(
    shared: Store, tmp_path: Path, option: tuple[str, str]
) -> None:
    with _worker(shared, tmp_path, *option, "--stop-at", "apply:before") as killed:
        runner = PretendRunner(tmp_path)
        with driving(shared, runner, at_once=8, rollout="r1") as driver:
            driver.drive("r1", on_event=lambda event: None, on_tick=lambda tick: None)
        assert killed.wait(60) == -signal.SIGKILL
    assert _phases(shared) == {HostPhase.DONE}
    assert {work.split(":")[1] for work in runner.begun} == set(HOSTS)
    assert _is_whole(shared)


def test_what_workers_drive_is_only_followed(shared: Store, tmp_path: Path) -> None:
    seen = []
    ignore = {"on_tick": lambda tick: None}
    assert follow(shared, "r1", on_event=lambda event: None, **ignore) is None
    with _worker(shared, tmp_path):
        tick = follow(shared, "r1", on_event=lambda event: seen.append(event.kind), **ignore)
    assert tick is not None
    assert tick.rollout.state.status is RolloutStatus.DONE
    assert seen[0] == "rollout.started"
    assert seen[-1] == "rollout.finished"


def test_the_limit_holds_over_all_rollouts(store: Store) -> None:
    """``r1`` of the fixture wants web1; both may be at work on one host together."""
    now = datetime.now(UTC)
    _start(store, "r2", ["db1", "db2"], jumps={})
    one, other = (ticks.load_plan(store, rollout) for rollout in ("r1", "r2"))
    assert [host.host for host in ticks.tick(store, other, "r2", now, most=1).at_work] == ["db1"]
    waits = ticks.tick(store, one, "r1", now, most=1)
    assert waits.at_work == ()
    assert not waits.is_settled
    assert "other rollouts are at work" in waits.waiting[0].reason
    started = ticks.tick(store, one, "r1", now, most=2)
    assert [host.host for host in started.at_work] == ["web1"]
