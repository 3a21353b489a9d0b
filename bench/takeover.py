"""After ``kill -9`` of a worker: how long until another has resumed its work, by database."""

from __future__ import annotations

import tempfile
import time

import sqlalchemy as sa

from bench.measure import Figure, Report, UnmetError
from bench.rollout import begin, working
from suture.store import tables, workers
from suture.store.database import Store, open_store
from tests.unit.core import builders
from tests.unit.store import postgresql

RUNS = 5

_HOSTS = 40
_SPEED = 1.0


def run(runs: int) -> Report:
    if reason := postgresql.missing():
        raise UnmetError(reason)
    sqlite, postgres, far = [], [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="suture-bench-") as directory:
            sqlite.append(taken(f"sqlite:///{directory}/store.sqlite"))
    with postgresql.running(durable=True) as server:
        for _ in range(runs):
            postgres.append(taken(server.empty()))
            far.append(taken(server.empty(), elsewhere=True))
    return Report(
        title=f"takeover: two workers, {_HOSTS} hosts at work, one worker killed",
        figures=(
            Figure("sqlite_s", "SQLite", tuple(sqlite), "s", "≤ 30"),
            Figure("postgres_s", "PostgreSQL, on one machine", tuple(postgres), "s", "≤ 30"),
            Figure("elsewhere_s", "on another machine", tuple(far), "s", "≤ 30"),
        ),
        caveats=(
            "From the signal until the survivor has begun a step on each of the dead one's hosts.",
            "A survivor on the same machine sees that the process is gone. For the last figure the "
            "dead one's row is given another machine's name, so that only its heartbeats tell.",
        ),
    )


def taken(url: str, *, elsewhere: bool = False) -> float:
    """Seconds from the death of one of two workers until its hosts are worked on again."""
    store = open_store(url)
    names = [f"host-{number}" for number in range(_HOSTS)]
    plan = builders.plan([builders.wave(0, names, parallel=_HOSTS)])
    with working(url, 2, speed=_SPEED, at_once=_HOSTS) as (victim, _):
        begin(store, plan, "r1")
        dead, hosts = _at_work(store, victim.pid)
        if elsewhere:
            _move(store, dead)
        victim.kill()
        killed = time.monotonic()
        while not _are_resumed(store, dead, hosts):
            time.sleep(0.05)
        seconds = time.monotonic() - killed
    store.close()
    return seconds


def _at_work(store: Store, pid: int) -> tuple[str, tuple[str, ...]]:
    """The process's worker, and its hosts, as soon as it has a good part of them."""
    while True:
        with store.read() as connection:
            (worker,) = [one.id for one in workers.listing(connection) if one.pid == pid]
            hosts = workers.hands(connection).get(worker, ())
        if len(hosts) >= _HOSTS // 4:
            return worker, hosts
        time.sleep(0.05)


def _move(store: Store, worker: str) -> None:
    with store.begin() as connection:
        connection.execute(
            sa.update(tables.workers)
            .where(tables.workers.c.id == worker)
            .values(machine="elsewhere")
        )


def _are_resumed(store: Store, dead: str, hosts: tuple[str, ...]) -> bool:
    """Whether none of them has its newest fence from the dead one."""
    with store.read() as connection:
        return not set(workers.hands(connection).get(dead, ())) & set(hosts)
