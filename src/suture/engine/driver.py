"""Driving rollouts: ticks on a short beat, heartbeats, and taking over from the dead."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from functools import partial

import sqlalchemy as sa
import structlog

from suture.core.evidence import Event
from suture.core.planning.plan import Plan
from suture.core.rollout import outcomes
from suture.core.rollout.state import HostPhase
from suture.engine import durable, fetching, looking, membership, records, ticks
from suture.engine.membership import HEARTBEAT_S
from suture.engine.work import FetchWork, HostWork, LookWork, StepRunner
from suture.store import events, hosts, rollouts, workers
from suture.store.database import Store
from suture.store.errors import StoreError
from suture.store.workers import Worker

BEAT_S = 0.3
IDLE_BEAT_S = 2.0  # while a soak or a window is all that is waited for
_MOST_REST_S = 1.0

log = structlog.get_logger("suture.engine")


class LeaseLostError(StoreError):
    """This process was away for so long that another may have taken over its work."""

    def __init__(self, rollout: str) -> None:
        super().__init__(
            "this process was stopped for so long that it counts as dead and may not go on",
            f"Nothing is lost; go on with: suture rollout watch {rollout}"
            if rollout
            else "Nothing is lost; start it again: suture worker",
        )


class Driven:
    """One rollout as this process knows it; ``enqueued`` is the work that it has handed out."""

    def __init__(self, rollout: str, plan: Plan) -> None:
        self.rollout = rollout
        self.plan = plan
        self.enqueued: set[str] = set()
        self.due = 0.0
        self.next_search = 0.0
        self.is_settled = True

    def work(self, tick: ticks.Tick) -> list[HostWork]:
        return [HostWork.of(self.rollout, host, self.plan) for host in tick.at_work]


class Driver:
    """One process that drives rollouts; see :func:`driving`."""

    def __init__(self, store: Store, worker: Worker, at_once: int) -> None:
        self.store = store
        self.worker = worker
        self._at_once = at_once
        self._watch = membership.Watch()
        self._alive: tuple[Worker, ...] = (worker,)
        self._shares: dict[str, int] = {}
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
        driven = Driven(rollout, ticks.load_plan(self.store, rollout))
        seen = 0
        while True:
            self._woken.clear()
            began = time.thread_time()
            self._look_around()
            tick = self._tick(driven)
            seen = self._report(rollout, seen, on_event)
            on_tick(tick)
            if tick.is_settled:
                return tick
            self._rest(began, BEAT_S if tick.is_at_work else IDLE_BEAT_S)

    def serve(self, *, on_settled: Callable[[ticks.Tick], None]) -> None:
        """Drive all rollouts until :meth:`stop`; a rollout is driven by one of those who do so.

        ``on_settled`` is called when one is over or has come to need a person. A database that is
        away is waited for. Raises :class:`LeaseLostError`.
        """
        known: dict[str, Driven] = {}
        while not self._stop.is_set():
            self._woken.clear()
            began = time.thread_time()
            try:
                self._look_around()
                busy = self._serve_once(known, on_settled)
            except LeaseLostError:
                raise
            except StoreError as error:
                log.error("cannot go on, tries again", reason=error.message)
                busy = False
            if known:
                self._rest(began, BEAT_S if busy else IDLE_BEAT_S)
            else:  # the end of a host's work is news to whoever drives its rollout
                self._stop.wait(IDLE_BEAT_S)

    def _serve_once(
        self, known: dict[str, Driven], on_settled: Callable[[ticks.Tick], None]
    ) -> bool:
        """Whether anything is at work."""
        with self.store.read() as connection:
            wanted = [one for one in rollouts.to_drive(connection) if self._is_mine(one)]
        for gone in known.keys() - set(wanted):
            del known[gone]
        busy = False
        for rollout in wanted:
            if rollout not in known:
                known[rollout] = Driven(rollout, ticks.load_plan(self.store, rollout))
            driven = known[rollout]
            if time.monotonic() < driven.due:
                continue
            tick = self._tick(driven)
            if tick.is_settled and not driven.is_settled:
                on_settled(tick)
            driven.is_settled = tick.is_settled
            driven.due = 0.0 if tick.is_at_work else time.monotonic() + IDLE_BEAT_S
            busy = busy or tick.is_at_work
        return busy

    def wake(self) -> None:
        """Something has changed: the next tick is due."""
        self._woken.set()

    def beat(self) -> None:
        """Say that this process is alive, until it is told that it counts as dead."""
        while not self._stop.wait(HEARTBEAT_S):
            try:
                with self.store.begin() as connection:
                    alive = workers.beat(connection, self.worker.id)
            except StoreError as error:
                log.error("no heartbeat", reason=error.message)
                continue
            if not alive:
                self._lost.set()
                self.wake()
                return

    def stop(self) -> None:
        self._stop.set()
        self.wake()

    def take_over(self) -> None:
        """Give work whose process is gone back to the queue, and work in a queue that nobody takes
        from to one that somebody does.

        The turn to decide is held throughout, so of several survivors one does it and the
        others find nothing left; should that one die in the middle, the next begins anew.
        """
        with records.deciding(self.store) as connection:
            listed = workers.listing(connection)
            self._alive = self._living(listed)
            for dead in {one.id for one in listed} - {one.id for one in self._alive}:
                workers.dismiss(connection, dead)
            for id_, work in self._orphans().items():
                jump = rollouts.jump_of(connection, work.rollout, work.host)
                durable.resume(id_, self._queue(work.host, jump))
                log.warning("takes over", work=id_)
                events.append(
                    connection,
                    at=datetime.now(UTC),
                    kind="work.taken-over",
                    subject=work.rollout,
                    actor=self.worker.id,
                    data={"work": id_},
                )

    def _tick(self, driven: Driven) -> ticks.Tick:
        if self._lost.is_set():
            raise LeaseLostError(self.worker.drives)
        tick = ticks.tick(
            self.store, driven.plan, driven.rollout, datetime.now(UTC), most=self._at_once
        )
        jump_of = driven.plan.jump_of
        at_work = driven.work(tick)
        fetches = [FetchWork(driven.rollout, host.host) for host in tick.fetching]
        if time.monotonic() >= driven.next_search:  # before much of it has ended as it should
            driven.next_search = time.monotonic() + HEARTBEAT_S
            self._find_lost(at_work)
            self._find_lost_fetches(fetches)
        for work in at_work:
            if work.id not in driven.enqueued:
                durable.enqueue(work, self._queue(work.host, jump_of.get(work.host, "")))
        for fetch in fetches:
            if fetch.id not in driven.enqueued:
                fetching.enqueue(fetch, self._queue(fetch.host, jump_of.get(fetch.host, "")))
        looks = [LookWork(driven.rollout, gate.wave, gate.done) for gate in tick.looking]
        for look in looks:
            if look.id not in driven.enqueued:
                looking.enqueue(look, durable.queue_name(self._unbound_place()))
        driven.enqueued = {work.id for work in at_work}
        driven.enqueued |= {fetch.id for fetch in fetches} | {look.id for look in looks}
        return tick

    def _report(self, rollout: str, seen: int, on_event: Callable[[Event], None]) -> int:
        with self.store.read() as connection:
            fresh = list(events.stream(connection, subject=rollout, after=seen))
        for event in fresh:
            on_event(event)
        return fresh[-1].seq if fresh else seen

    def _rest(self, began: float, beat_s: float) -> None:
        """Leave the processor to the work for as long as this thread had it, then wait."""
        self._stop.wait(min(_MOST_REST_S, time.thread_time() - began))
        self._woken.wait(beat_s)

    def _look_around(self) -> None:
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + HEARTBEAT_S
        with self.store.read() as connection:
            listed = workers.listing(connection)
        self._alive = self._living(listed)
        if len(self._alive) < len(listed) or self._orphans():
            self.take_over()
        self._share_out()

    def _living(self, listed: Collection[Worker]) -> tuple[Worker, ...]:
        """This one is among them whatever it saw: to give it up is for the others."""
        alive = {one.id for one in self._watch.alive(listed)} | {self.worker.id}
        return tuple(one for one in listed if one.id in alive)

    def _orphans(self) -> dict[str, durable.Begun]:
        places = {place for one in self._alive for place in one.places}
        queues = {durable.queue_name(place) for place in places | {self._unbound_place()}}
        return durable.orphans({one.id for one in self._alive}, queues)

    def _share_out(self) -> None:
        """Those who take from one queue take about as much each."""
        for place in self.worker.places:
            takers = sum(place in one.places for one in self._alive)
            share = -(-self._at_once // max(1, takers))
            if self._shares.get(place) != share:
                durable.share(durable.queue_name(place), share)
                self._shares[place] = share

    def _queue(self, host: str, jump: str) -> str:
        """Work of a place is for those who are at home there, as long as there are any."""
        place = membership.place_of(jump, self._labels(host), self._alive)
        return durable.queue_name(place or self._unbound_place())

    def _unbound_place(self) -> str:
        """Where work of no site is done: by those who are bound to none. Where there have been
        none of these for a while, whoever hands it out does it."""
        is_away = self._watch.is_without_unbound and "" not in self.worker.places
        return self.worker.places[0] if is_away else ""

    def _labels(self, host: str) -> tuple[str, ...]:
        """A host's labels as they are now, where anybody asks for them."""
        if not any(one.sites for one in self._alive):
            return ()
        with self.store.read() as connection:
            found = hosts.get(connection, host)
        return found.labels if found else ()

    def _is_mine(self, rollout: str) -> bool:
        """Of the processes that drive all rollouts, each drives its part of them."""
        drivers = [one.id for one in self._alive if not one.drives]
        return max(drivers, key=lambda id_: _lot(id_, rollout)) == self.worker.id

    def _find_lost(self, at_work: Collection[HostWork]) -> None:
        """Work that ended without saying how, by a defect or a full disk, leaves its host in an
        unknown state, of which the rollout has to hear. It stays drained where it was."""
        causes = durable.ended([work.id for work in at_work])
        for work in at_work:
            if work.id not in causes:
                continue
            reason = f"its state is unknown, the work ended early: {causes[work.id]:.300}"
            records.transact(self.store, partial(_lose, work=work, reason=reason))
            self.wake()

    def _find_lost_fetches(self, fetches: Collection[FetchWork]) -> None:
        """The host of one that ended without saying how goes on without."""
        causes = durable.ended([work.id for work in fetches])
        for work in fetches:
            if work.id not in causes:
                continue
            problem = f"the work ended early: {causes[work.id]:.300}"
            records.transact(
                self.store,
                partial(records.finish_fetch, work=work, problem=problem, now=datetime.now(UTC)),
            )
            self.wake()


def _lose(connection: sa.Connection, work: HostWork, reason: str) -> None:
    drained = work.is_drained(records.known_reports(connection, work).keys())
    told = outcomes.left_drained(reason, work.rollout, work.host, drained)
    records.finish_host(connection, work, HostPhase.LOST, told, datetime.now(UTC))


def _lot(worker: str, rollout: str) -> bytes:
    return hashlib.sha256(f"{worker} {rollout}".encode()).digest()


@contextlib.contextmanager
def driving(
    store: Store,
    runner: StepRunner,
    *,
    at_once: int,
    rollout: str = "",
    jumps: tuple[str, ...] = (),
    sites: tuple[str, ...] = (),
) -> Iterator[Driver]:
    """Make this process a driver for as long as the context lasts: of one ``rollout``, or, where
    none is named, of all.

    ``at_once`` hosts are worked on at the same time, in all processes and rollouts together,
    whatever the plans allow. With ``jumps`` or ``sites`` this process works on the hosts
    behind these or with these labels alone.
    Leaving lets go of the work at hand: hosts end their transactions by themselves, and whoever
    drives the rollout next goes on from there.
    """
    worker = membership.this_process(drives=rollout, jumps=jumps, sites=sites)
    driver = Driver(store, worker, at_once)
    with records.deciding(store) as connection:
        workers.dismiss(connection, worker.id)
        workers.enlist(connection, worker)
    beating = threading.Thread(target=driver.beat, name="heartbeat", daemon=True)
    try:
        with durable.running(
            store, worker.id, runner, at_once=at_once, places=worker.places, on_end=driver.wake
        ):
            beating.start()
            yield driver
    finally:
        driver.stop()
        with store.begin() as connection:
            workers.dismiss(connection, worker.id)
