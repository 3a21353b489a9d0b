"""Driving rollouts: ticks on a short beat, heartbeats, and taking over from the dead."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from suture.core.evidence import Event
from suture.core.progress import HostPhase
from suture.engine import durable, ticks
from suture.engine.durable import HostWork, StepRunner
from suture.store import events, workers
from suture.store.database import Store
from suture.store.workers import Worker

BEAT_S = 0.3
HEARTBEAT_S = 2.0
DEAD_AFTER_S = 20.0


class LeaseLostError(Exception):
    """This process was away for so long that another took over its work."""


def engine_url(store_url: str) -> str:
    """The engine's own database beside the store's, so that neither waits for the other's lock;
    on PostgreSQL the same database (the engine keeps to a schema of its own)."""
    if store_url.startswith("sqlite") and store_url.endswith(".sqlite"):
        return store_url.removesuffix(".sqlite") + "-engine.sqlite"
    return store_url


def this_process() -> Worker:
    """Named so that a process id that is used again is not taken for us."""
    machine, pid = socket.gethostname(), os.getpid()
    return Worker(
        id=f"{machine}-{pid}-{_started(pid)}", machine=machine, pid=pid, heartbeat=time.time()
    )


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


class Driver:
    """One process that drives rollouts; see :func:`driving`."""

    def __init__(self, store: Store, worker: Worker) -> None:
        self.store = store
        self.worker = worker
        self._lost = threading.Event()
        self._stop = threading.Event()

    def drive(
        self,
        rollout: str,
        *,
        on_event: Callable[[Event], None],
        on_tick: Callable[[ticks.Tick], None],
    ) -> ticks.Tick:
        """Until the rollout is over, or waits for a person with nothing at work.

        Raises :class:`LeaseLostError`.
        """
        plan = ticks.load_plan(self.store, rollout)
        enqueued: set[str] = set()
        seen = 0
        self.take_over()
        while True:
            if self._lost.is_set():
                raise LeaseLostError
            self._watch_the_others()
            now = datetime.now(UTC)
            tick = ticks.tick(self.store, plan, rollout, now)
            self._enqueue(tick, enqueued)
            seen = self._report(rollout, seen, on_event)
            on_tick(tick)
            if tick.rollout.is_over or tick.needs_person:
                return tick
            self._stop.wait(BEAT_S)

    def _enqueue(self, tick: ticks.Tick, enqueued: set[str]) -> None:
        for host in tick.rollout.state.hosts:
            if host.phase.is_at_work:
                work = HostWork(
                    rollout=tick.rollout.id,
                    host=host.host,
                    attempt=host.attempt,
                    way_back=host.phase is HostPhase.ROLLING_BACK,
                )
                if work.id not in enqueued:
                    durable.enqueue(work)
                    enqueued.add(work.id)

    def _report(self, rollout: str, seen: int, on_event: Callable[[Event], None]) -> int:
        with self.store.read() as connection:
            fresh = list(events.stream(connection, subject=rollout, after=seen))
        for event in fresh:
            on_event(event)
        return fresh[-1].seq if fresh else seen

    def take_over(self) -> None:
        """Give work whose process is gone back to the queue.

        The store's write lock is held throughout, so of several survivors one does it and the
        others find nothing left.
        """
        with self.store.begin() as connection:
            alive = set()
            for worker in workers.listing(connection):
                if worker.id == self.worker.id or not _is_dead(worker):
                    alive.add(worker.id)
                    continue
                workers.dismiss(connection, worker.id)
            for work in durable.orphans(alive):
                durable.resume(work)
                events.append(
                    connection,
                    at=datetime.now(UTC),
                    kind="work.taken-over",
                    subject=work.partition(":")[0],
                    actor=self.worker.id,
                    data={"work": work},
                )

    def _watch_the_others(self) -> None:
        with self.store.read() as connection:
            known = workers.listing(connection)
        if any(_is_dead(worker) for worker in known if worker.id != self.worker.id):
            self.take_over()

    def beat(self) -> None:
        """Say that this process is alive, until it is told that it counts as dead."""
        while not self._stop.wait(HEARTBEAT_S):
            alive = Worker(
                id=self.worker.id,
                machine=self.worker.machine,
                pid=self.worker.pid,
                heartbeat=time.time(),
            )
            with self.store.begin() as connection:
                if not workers.beat(connection, alive):
                    self._lost.set()
                    return

    def stop(self) -> None:
        self._stop.set()


def _is_dead(worker: Worker) -> bool:
    """No heartbeat for a while, or, on this machine, no such process any more."""
    if time.time() - worker.heartbeat > DEAD_AFTER_S:
        return True
    here = worker.machine == socket.gethostname()
    return here and not worker.id.endswith(f"-{_started(worker.pid) or 'gone'}")


@contextlib.contextmanager
def driving(store: Store, store_url: str, runner: StepRunner, *, at_once: int) -> Iterator[Driver]:
    """Make this process a driver of rollouts for as long as the context lasts."""
    worker = this_process()
    driver = Driver(store, worker)
    with store.begin() as connection:
        workers.enlist(connection, worker)
    beating = threading.Thread(target=driver.beat, name="heartbeat", daemon=True)
    try:
        with durable.running(engine_url(store_url), worker.id, store, runner, at_once=at_once):
            beating.start()
            yield driver
    finally:
        driver.stop()
        with store.begin() as connection:
            workers.dismiss(connection, worker.id)


def someone_is_driving(store: Store) -> bool:
    """Whether a live process drives rollouts."""
    with store.read() as connection:
        return any(not _is_dead(worker) for worker in workers.listing(connection))
