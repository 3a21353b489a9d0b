"""A rollout over 10,000 pretend hosts: transactions a second, memory, and a tick, by database."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.measure import Figure, Report, UnmetError
from bench.plan import NOW, assessed
from suture.core.planning.plan import Plan
from suture.core.planning.planner import make_plan
from suture.core.policy import Concurrency, Policy, RingPolicy, ServicePolicy
from suture.engine import ticks
from suture.engine.work import PATCHING
from suture.services.collecting import clock
from suture.store import events, plans, rollouts
from suture.store.database import Store, open_store
from tests.unit.store import postgresql

RUNS = 1

HOSTS = 10_000
AT_ONCE = 500
SPEED = 20.0

_RINGS = (
    RingPolicy(name="canary", hosts=("canary",), parallel=AT_ONCE),
    RingPolicy(name="early", share="25%", parallel=AT_ONCE),
    RingPolicy(name="broad", parallel=AT_ONCE),
)


@dataclass(frozen=True)
class Driven:
    """One rollout from its first host's start to its end; the CPU is that of all workers, and of
    the database's server where there is one."""

    seconds: float
    tick_ms: float
    rss_mb: float
    cpu_s: float
    server_cpu_s: float

    @property
    def per_s(self) -> float:
        return HOSTS / self.seconds

    @property
    def cores(self) -> float:
        return (self.cpu_s + self.server_cpu_s) / self.seconds


def run(runs: int) -> Report:
    if reason := postgresql.missing():
        raise UnmetError(reason)
    plan = make()
    sqlite, postgres, two = [], [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="suture-bench-") as directory:
            sqlite.append(driven(f"sqlite:///{directory}/store.sqlite", plan, workers=1))
        with postgresql.running(durable=True) as server:
            postgres.append(driven(server.empty(), plan, workers=1, server_cpu_s=server.cpu_s))
            two.append(driven(server.empty(), plan, workers=2, server_cpu_s=server.cpu_s))
    ratio = tuple(both.per_s / one.per_s for both, one in zip(two, sqlite, strict=True))
    return Report(
        title=f"rollout: {HOSTS} hosts in 3 rings, {len(PATCHING)} steps each",
        figures=(
            Figure("tx_per_s_sqlite", "SQLite, one worker", _rate(sqlite), "/s", "≥ 100"),
            Figure("tx_per_s_postgres", "PostgreSQL, one worker", _rate(postgres), "/s"),
            Figure("tx_per_s_postgres_2", "PostgreSQL, two workers", _rate(two), "/s", "≥ 170"),
            Figure("ratio_postgres_2", "two on PostgreSQL ÷ one on SQLite", ratio, "×"),
            Figure("steps_per_s_sqlite", "steps of them, SQLite", _steps(sqlite), "/s"),
            Figure("steps_per_s_postgres_2", "PostgreSQL, two workers", _steps(two), "/s"),
            Figure("cpu_ms_sqlite", "CPU of the worker a host", _cpu(sqlite), "ms"),
            Figure("cpu_ms_postgres", "CPU of the worker a host", _cpu(postgres), "ms"),
            Figure("cpu_ms_postgres_2", "CPU of both workers a host", _cpu(two), "ms"),
            Figure("server_ms_postgres_2", "and of the server", _server_cpu(two), "ms"),
            Figure("cores_postgres_2", "cores in use, two workers", _cores(two), ""),
            Figure("rss_mb", "memory, SQLite", tuple(d.rss_mb for d in sqlite), "MB", "< 400"),
            Figure("tick_ms", "a tick, SQLite", tuple(d.tick_ms for d in sqlite), "ms", "< 200"),
        ),
        caveats=(
            "A transaction is one host from its first step to its last. Each step is begun and "
            "reported in the database, with its events and a fence of its own.",
            f"Hosts answer {SPEED:g} times as fast as the recorded ones, {AT_ONCE} at once, so "
            "that the engine is the limit and not they.",
            "The database server is on the same cores, and waits for its disk at each commit.",
        ),
    )


def make() -> Plan:
    """A plan of three rings without windows or soaks, of hosts with packages and findings."""
    given = assessed(HOSTS)
    policy = Policy(
        rings=_RINGS,
        services={f"service-{n}": ServicePolicy(max_out="50%") for n in range(2000)},
        concurrency=Concurrency(total=AT_ONCE, per_jump=AT_ONCE),
    )
    return make_plan(
        hosts=given.hosts,
        inventories=given.inventories,
        selections=given.selections,
        findings=given.findings,
        policy=policy,
        now=NOW,
    )


def driven(
    url: str, plan: Plan, *, workers: int, server_cpu_s: Callable[[], float] = lambda: 0.0
) -> Driven:
    """A rollout of the plan in a new database, carried out by so many processes."""
    store = open_store(url)
    begin(store, plan, "r1")
    before_s = server_cpu_s()
    with working(url, workers) as processes:
        tick_ms = _wait(store, plan)
        used_s = server_cpu_s() - before_s
        figures = [stopped(process) for process in processes]
    seconds = _seconds(store)
    store.close()
    return Driven(
        seconds=seconds,
        tick_ms=tick_ms,
        rss_mb=max(one["rss_mb"] for one in figures),
        cpu_s=sum(one["cpu_s"] for one in figures),
        server_cpu_s=used_s,
    )


def begin(store: Store, plan: Plan, rollout: str) -> None:
    with store.begin() as connection:
        plans.save(connection, plan)
    ticks.start_rollout(store, plan, rollout, actor="bench", without_rehearsal=True, now=clock())


@contextmanager
def working(
    url: str, count: int, *, speed: float = SPEED, at_once: int = AT_ONCE
) -> Iterator[list[subprocess.Popen[str]]]:
    """So many workers, once each has begun."""
    command = [sys.executable, "-m", "bench.pretending", url, str(speed), str(at_once)]
    root = Path(__file__).parents[1]
    processes = []
    try:
        for _ in range(count):
            process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
            processes.append(process)
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError("a worker did not begin")
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def stopped(process: subprocess.Popen[str]) -> dict[str, float]:
    """What a worker says of itself at its end."""
    process.terminate()
    assert process.stdout is not None
    figures: dict[str, float] = json.loads(process.stdout.readline())
    process.wait()
    return figures


def _wait(store: Store, plan: Plan) -> float:
    """Until the rollout is over; the milliseconds of a tick that changes nothing, at the end."""
    while True:
        with store.read() as connection:
            if not rollouts.to_drive(connection):
                break
        time.sleep(0.5)
    taken = []
    for _ in range(20):
        began = time.perf_counter()
        ticks.tick(store, plan, "r1", clock(), most=AT_ONCE)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def _seconds(store: Store) -> float:
    """From the first host's start to the rollout's end, by the events."""
    first: datetime | None = None
    last: datetime | None = None
    with store.read() as connection:
        for event in events.stream(connection, subject="r1"):
            if first is None and event.kind == "host.patching":
                first = event.at
            if event.kind == "rollout.finished":
                last = event.at
    assert first is not None
    assert last is not None
    return (last - first).total_seconds()


def _rate(measured: Sequence[Driven]) -> tuple[float, ...]:
    return tuple(one.per_s for one in measured)


def _steps(measured: Sequence[Driven]) -> tuple[float, ...]:
    return tuple(one.per_s * len(PATCHING) for one in measured)


def _cpu(measured: Sequence[Driven]) -> tuple[float, ...]:
    return tuple(one.cpu_s / HOSTS * 1000 for one in measured)


def _server_cpu(measured: Sequence[Driven]) -> tuple[float, ...]:
    return tuple(one.server_cpu_s / HOSTS * 1000 for one in measured)


def _cores(measured: Sequence[Driven]) -> tuple[float, ...]:
    return tuple(one.cores for one in measured)
