"""The return bundles of the fleet: which there are, until when, and removing what may go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from suture.core.backups import KeptBundle, kept, needs_bundles
from suture.core.documents import Document
from suture.core.inventory import Host
from suture.core.policy import Policy
from suture.hosts import bundles
from suture.hosts.transaction import bundle_id
from suture.hosts.transport import HostError, HostFailure, Transport
from suture.services import fleet, policies
from suture.services.collecting import clock
from suture.services.connections import connector
from suture.services.host_work import retention
from suture.services.workspace import Workspace
from suture.store import plans, rollouts
from suture.store.database import Store

T = TypeVar("T")

_LONGEST_SOAK = timedelta(days=30)
_FRESH_S = 60.0


class HostBackups(Document, frozen=True):
    """One host's bundles, newest first; or why they are not known."""

    host: str
    bundles: tuple[KeptBundle, ...] = ()
    failure: HostFailure | None = None


class Pruned(Document, frozen=True):
    """The bundles that were removed from a host; or why it could not be worked with."""

    host: str
    removed: tuple[str, ...] = ()
    failure: HostFailure | None = None


class Protected:
    """Which rollouts need a host's bundles: those that are not over, or still soak. Looked up
    again after a minute, for hundreds of hosts may ask."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rollouts: Mapping[str, tuple[str, ...]] = {}
        self._looked = -_FRESH_S

    def on(self, host: str) -> tuple[str, ...]:
        if time.monotonic() - self._looked >= _FRESH_S:
            self._rollouts = _needing(self._store, clock())
            self._looked = time.monotonic()
        return self._rollouts.get(host, ())


def _needing(store: Store, now: datetime) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    with store.read() as connection:
        for one in rollouts.since(connection, now - _LONGEST_SOAK):
            plan = plans.get(connection, one.plan)
            for host in needs_bundles(plan, one.state, one.ended_at, now) if plan else ():
                found[host] = (*found.get(host, ()), one.id)
    return found


async def listing(
    workspace: Workspace, names: Sequence[str], *, check: bool, policy_file: Path | None = None
) -> tuple[HostBackups, ...]:
    """The bundles of enrolled hosts, all where none is named; read back again with ``check``."""
    policy, _ = policies.load(workspace, policy_file)
    rules = retention(policy)

    async def look(way: Transport, protected: tuple[str, ...]) -> HostBackups:
        found = await bundles.list_bundles(way, check=check)
        return HostBackups(way.name, kept(found, rules, protected))

    def failed(host: str, failure: HostFailure) -> HostBackups:
        return HostBackups(host, failure=failure)

    return await _on_each(workspace, policy, names, look, failed)


async def prune(
    workspace: Workspace, names: Sequence[str], *, policy_file: Path | None = None
) -> tuple[Pruned, ...]:
    """Remove from enrolled hosts, all where none is named, the bundles that the policy lets go."""
    policy, _ = policies.load(workspace, policy_file)
    rules = retention(policy)

    async def act(way: Transport, protected: tuple[str, ...]) -> Pruned:
        return Pruned(way.name, await bundles.prune_bundles(way, rules, protected))

    def failed(host: str, failure: HostFailure) -> Pruned:
        return Pruned(host, failure=failure)

    return await _on_each(workspace, policy, names, act, failed)


async def _on_each(
    workspace: Workspace,
    policy: Policy,
    names: Sequence[str],
    act: Callable[[Transport, tuple[str, ...]], Awaitable[T]],
    failed: Callable[[str, HostFailure], T],
) -> tuple[T, ...]:
    """``act`` is given a way to the host and the ids of its bundles that must stay."""
    hosts = fleet.chosen(workspace, names=names)
    with fleet.opened(workspace) as store:
        needed = _needing(store, clock())
    async with connector(workspace, concurrency=policy.concurrency) as ways:

        async def one(host: Host) -> T:
            protected = tuple(
                bundle_id(rollout, host.name) for rollout in needed.get(host.name, ())
            )
            try:
                async with ways.connect(host) as way:
                    return await act(way, protected)
            except HostError as error:
                return failed(host.name, error.failure)

        return tuple(await asyncio.gather(*map(one, hosts)))
