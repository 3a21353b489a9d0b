"""Driving rollouts: ticks on a short beat, heartbeats, and taking over from the dead."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import structlog

from suture.core.evidence import Event
from suture.core.planning.plan import Plan
from suture.core.rollout.progress import HostPhase
from suture.engine import durable, looking, membership, records, ticks
from suture.engine.work import HostWork, LookWork, StepRunner
from suture.store import events, workers
from suture.store.database import Store, StoreError
from suture.store.workers import Worker

BEAT_S = 0.3
IDLE_BEAT_S = 2.0  # while a soak or a window is all that is waited for
HEARTBEAT_S = 2.0

log = structlog.get_logger("suture.engine")


class LeaseLostError(StoreError):
    """This process was away for so long that another may have taken over its work."""

    def __init__(self, rollout: str) -> None:
        super().__init__(
            "this process was stopped for so long that it counts as dead and may not go on",
            f"Nothing is lost; go on with: suture rollout watch {rollout}",
        )


class Driver:
    """One process that drives rollouts; see :func:`driving`."""

    def __init__(self, store: Store, worker: Worker) -> None:
        self.store = store
        self.worker = worker
        self._lost = threading.Event()
        self._stop = threading.Event()
        self._woken = threading.Event()
        self._next_look = 0.0

    def drive(
        self,
        rollout: str,
        *,
        on_event: Callable[[Event], None],
        on_tick: Callable[[ticks.Tick], None],
    ) -> ticks.Tick:
        """Until the rollout is over, or waits for a person with nothing at work.

        ``on_event`` is called with every event of the rollout from its beginning. Raises
        :class:`LeaseLostError`, and :class:`LookupError` where there is no such rollout.
        """
        plan = ticks.load_plan(self.store, rollout)
        enqueued: set[str] = set()
        seen = 0
        while True:
            self._woken.clear()
            if self._lost.is_set():
                raise LeaseLostError(rollout)
            tick = ticks.tick(self.store, plan, rollout, datetime.now(UTC))
            self._enqueue(tick, plan, enqueued)
            if time.monotonic() >= self._next_look:
                self._look_around(tick)
            seen = self._report(rollout, seen, on_event)
            on_tick(tick)
            if tick.is_settled:
                return tick
            self._woken.wait(BEAT_S if tick.is_at_work else IDLE_BEAT_S)

    def wake(self) -> None:
        """Something has changed: the next tick is due."""
        self._woken.set()

    def _enqueue(self, tick: ticks.Tick, plan: Plan, enqueued: set[str]) -> None:
        for host in tick.at_work:
            work = HostWork.of(tick.rollout.id, host, plan)
            if work.id not in enqueued:
                durable.enqueue(work)
                enqueued.add(work.id)
        for gate in tick.looking:
            look = LookWork(tick.rollout.id, gate.wave, gate.done)
            if look.id not in enqueued:
                looking.enqueue(look)
                enqueued.add(look.id)

    def _report(self, rollout: str, seen: int, on_event: Callable[[Event], None]) -> int:
        with self.store.read() as connection:
            fresh = list(events.stream(connection, subject=rollout, after=seen))
        for event in fresh:
            on_event(event)
        return fresh[-1].seq if fresh else seen

    def _look_around(self, tick: ticks.Tick) -> None:
        self._next_look = time.monotonic() + HEARTBEAT_S
        self.take_over()
        self._find_lost(tick)

    def take_over(self) -> None:
        """Give work whose process is gone back to the queue.

        The store's write lock is held throughout, so of several survivors one does it and the
        others find nothing left; should that one die in the middle, the next begins anew.
        """
        with self.store.begin() as connection:
            alive = set()
            for worker in workers.listing(connection):
                if worker.id == self.worker.id or not membership.is_dead(worker):
                    alive.add(worker.id)
                else:
                    workers.dismiss(connection, worker.id)
            for work in durable.orphans(alive):
                durable.resume(work)
                log.warning("takes over", work=work)
                events.append(
                    connection,
                    at=datetime.now(UTC),
                    kind="work.taken-over",
                    subject=work.partition(":")[0],
                    actor=self.worker.id,
                    data={"work": work},
                )

    def _find_lost(self, tick: ticks.Tick) -> None:
        """Work that ended without saying how, by a defect or a full disk, leaves its host in an
        unknown state, of which the rollout has to hear."""
        at_work = [HostWork.of(tick.rollout.id, host) for host in tick.at_work]
        causes = durable.ended([work.id for work in at_work])
        for work in at_work:
            if work.id not in causes:
                continue
            reason = f"its state is unknown, the work ended early: {causes[work.id]:.300}"
            with self.store.begin() as connection:
                records.finish_host(connection, work, HostPhase.LOST, reason, datetime.now(UTC))
            self.wake()

    def beat(self) -> None:
        """Say that this process is alive, until it is told that it counts as dead."""
        while not self._stop.wait(HEARTBEAT_S):
            try:
                with self.store.begin() as connection:
                    alive = workers.beat(connection, self.worker.id, time.time())
            except StoreError as error:
                log.error("no heartbeat", reason=error.message)
                continue
            if not alive:
                self._lost.set()
                self.wake()
                return

    def stop(self) -> None:
        self._stop.set()


@contextlib.contextmanager
def driving(store: Store, runner: StepRunner, *, at_once: int) -> Iterator[Driver]:
    """Make this process a driver of rollouts for as long as the context lasts, one at a time.

    At most ``at_once`` hosts are worked on in this process, whatever the plans allow. Leaving
    lets go of the work at hand: hosts end their transactions by themselves, and whoever drives
    the rollout next goes on from there.
    """
    worker = membership.this_process()
    driver = Driver(store, worker)
    with store.begin() as connection:
        workers.dismiss(connection, worker.id)
        workers.enlist(connection, worker)
    beating = threading.Thread(target=driver.beat, name="heartbeat", daemon=True)
    try:
        with durable.running(store, worker.id, runner, at_once=at_once, on_end=driver.wake):
            beating.start()
            yield driver
    finally:
        driver.stop()
        with store.begin() as connection:
            workers.dismiss(connection, worker.id)
