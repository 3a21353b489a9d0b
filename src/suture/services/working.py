"""Processes that drive all rollouts of an installation, and who they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from suture.core.documents import Document
from suture.engine import membership
from suture.engine.driver import driving
from suture.engine.ticks import Tick
from suture.services import fleet, policies, rollouts
from suture.services.errors import ServiceError
from suture.services.logs import logging_to
from suture.services.workspace import Workspace
from suture.store import hosts, workers
from suture.store.database import shown
from suture.store.errors import StoreError
from suture.store.workers import Worker

log = structlog.get_logger("suture.services")


class WorkerView(Document, frozen=True):
    """A worker as others see it: seconds since it began and since its last heartbeat, by the
    database's clock, and the hosts that it is at work on."""

    worker: Worker
    is_silent: bool
    since_s: float
    heartbeat_s: float
    hosts: tuple[str, ...]


class Started(Document, frozen=True):
    """A worker that has begun; ``hosts`` is how many enrolled hosts are its own, where it is
    bound to jump hosts or labels."""

    worker: Worker
    database: str
    hosts: int


def listing(workspace: Workspace) -> tuple[WorkerView, ...]:
    """Who is at work on the database, those who drive one rollout in a terminal among them."""
    with fleet.opened(workspace) as store, store.read() as connection:
        now = workers.clock(connection)
        hands = workers.hands(connection)
        listed = workers.listing(connection)
    return tuple(
        WorkerView(
            worker=one,
            is_silent=now - one.heartbeat > membership.DEAD_AFTER_S or membership.is_gone(one),
            since_s=max(0.0, now - one.since),
            heartbeat_s=max(0.0, now - one.heartbeat),
            hosts=hands.get(one.id, ()),
        )
        for one in listed
    )


def nobody_is_unbound(found: Sequence[WorkerView]) -> bool:
    """Whether all who are at work are bound to sites, so that the hosts of no site are worked on by
    those who may not reach them."""
    alive = [one.worker for one in found if not one.is_silent]
    return bool(alive) and all("" not in one.places for one in alive)


def serve(
    workspace: Workspace,
    *,
    policy_file: Path | None = None,
    jumps: tuple[str, ...] = (),
    sites: tuple[str, ...] = (),
    on_start: Callable[[Started, Callable[[], None]], None],
) -> None:
    """Drive all rollouts until the function that ``on_start`` was given is called.

    Raises :class:`suture.engine.driver.LeaseLostError` where others have taken this process for
    dead.
    """
    policy, _ = policies.load(workspace, policy_file)
    with (
        fleet.opened(workspace) as store,
        logging_to(workspace.log),
        ThreadPoolExecutor(1, "afterwards") as afterwards,
    ):
        runner, _ = rollouts.runner_for(workspace, store, policy)

        def conclude(rollout: str) -> None:
            try:
                rollouts.conclude(workspace, store, policy, rollout)
            except (ServiceError, StoreError) as error:
                log.error("not concluded", rollout=rollout, reason=error.message)

        def on_settled(tick: Tick) -> None:
            afterwards.submit(conclude, tick.rollout.id)

        total = policy.concurrency.total
        with driving(store, runner, at_once=total, jumps=jumps, sites=sites) as driver:
            with store.read() as connection:
                own = sum(
                    bool(membership.place_of(host.jump or "", host.labels, (driver.worker,)))
                    for host in hosts.listing(connection)
                )
            place = shown(store.engine.url)
            on_start(Started(driver.worker, place, own), driver.stop)
            driver.serve(on_settled=on_settled)
