"""Hosts that were away while their rollout ran: looked at again, and patched as it was planned."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from suture.core.documents import Document
from suture.core.inventory import Host
from suture.core.planning.plan import Plan
from suture.core.policy import Policy
from suture.core.rollout.holding import bringing
from suture.core.rollout.state import HostPhase, RolloutStatus
from suture.core.rollout.transitions import RefusedError as CoreRefusedError
from suture.engine import ticks
from suture.services import fleet, policies, rollouts
from suture.services.collecting import Collected, clock, collect
from suture.services.connections import connector
from suture.services.errors import NotFoundError, RefusedError
from suture.services.workspace import Workspace
from suture.store import hosts as stored_hosts
from suture.store import rollouts as stored_rollouts
from suture.store.database import Store
from suture.store.rollouts import StoredRollout


class CaughtUp(Document, frozen=True):
    """``rollout`` is the new one, for the hosts that are ``ready``; empty where none is. The hosts
    that are still ``away``, and those that have ``changed`` since and need another plan, each with
    the reason."""

    rollout: str
    plan: str
    ready: tuple[str, ...]
    away: tuple[tuple[str, str], ...]
    changed: tuple[tuple[str, str], ...]


def catch_up(
    workspace: Workspace,
    rollout_id: str,
    names: Sequence[str] = (),
    *,
    policy_file: Path | None = None,
    actor: str,
) -> CaughtUp:
    """Look at the hosts that were away, and record a rollout of the same plan for those that are
    as it assumes; nothing happens until it is driven.

    Raises :class:`RefusedError` where the rollout is not done, no host was away, the plan's
    rehearsal does not count any more, or a host takes part in another rollout.
    """
    policy, _ = policies.load(workspace, policy_file)
    with fleet.opened(workspace) as store:
        before = rollouts.get(store, rollout_id)
        plan = ticks.load_plan(store, before.id)
        wanted = _still_to_come(store, before, _away(before, names))
        seen = asyncio.run(_look(workspace, store, policy, wanted))
        fleet.record(store, seen, (), clock())
        found = _sorted(plan, before, wanted, seen)
        if not found.ready:
            return found
        narrowed = replace(plan, hosts=tuple(plan.host(name) for name in found.ready))
        if not before.without_rehearsal:
            rollouts.require_rehearsal(store, narrowed, policy)
        rollout = secrets.token_hex(6)
        try:
            ticks.start_rollout(
                store,
                plan,
                rollout,
                actor=actor,
                without_rehearsal=before.without_rehearsal,
                now=clock(),
                catches_up=before.state,
                hosts=found.ready,
            )
        except CoreRefusedError as error:
            raise RefusedError(str(error)) from None
    return replace(found, rollout=rollout)


def _away(rollout: StoredRollout, names: Sequence[str]) -> tuple[str, ...]:
    if rollout.state.status is RolloutStatus.ABORTED:
        raise RefusedError(
            f"rollout {rollout.id} was aborted, so its plan is installed on no more hosts, those "
            "that were away among them",
            "Plan anew for them: suture plan create --host NAME",
        )
    if rollout.state.status is not RolloutStatus.DONE:
        raise RefusedError(
            f"rollout {rollout.id} is {rollout.state.status}; hosts are caught up when it is done",
            f"While it runs it tries them itself: suture rollout watch {rollout.id}",
        )
    away = [
        host.host for host in rollout.state.hosts if host.phase is HostPhase.SKIPPED and host.away
    ]
    for name in names:
        if name not in away:
            raise NotFoundError(
                f"{name} was not away in rollout {rollout.id}",
                f"See its hosts: suture rollout status {rollout.id}",
            )
    if not away:
        raise RefusedError(f"no host was away in rollout {rollout.id}; nothing to catch up")
    return tuple(name for name in away if not names or name in names)


def _still_to_come(store: Store, rollout: StoredRollout, away: Sequence[str]) -> tuple[str, ...]:
    """Without those that an earlier catching up has patched."""
    with store.read() as connection:
        later = [
            one
            for one in stored_rollouts.listing(connection)
            if one.plan == rollout.plan and one.started_at > rollout.started_at
        ]
    done = {
        name: one.id
        for one in later
        for name, phase in stored_rollouts.host_phases(one.state).items()
        if phase is HostPhase.DONE
    }
    wanted = tuple(name for name in away if name not in done)
    if not wanted:
        by = ", ".join(sorted({done[name] for name in away}))
        raise RefusedError(
            f"{', '.join(away)}: caught up already, in rollout {by}",
            f"Prove it: suture verify {by.partition(',')[0]}",
        )
    return wanted


async def _look(
    workspace: Workspace, store: Store, policy: Policy, names: Sequence[str]
) -> tuple[Collected, ...]:
    with store.read() as connection:
        enrolled = {host.name: host for host in stored_hosts.listing(connection)}
    there: list[Host] = [enrolled[name] for name in names if name in enrolled]
    async with connector(workspace, concurrency=policy.concurrency) as ways:
        return await collect(ways, there, refresh=False, progress=lambda host, what: None)


def _sorted(
    plan: Plan, rollout: StoredRollout, names: Sequence[str], seen: Sequence[Collected]
) -> CaughtUp:
    """Into those that are ready, still away, and changed."""
    by_name = {one.host.name: one for one in seen}
    held = bringing(plan, rollout.state.held_back)
    ready: list[str] = []
    away: list[tuple[str, str]] = []
    changed: list[tuple[str, str]] = []
    for name in names:
        one = by_name.get(name)
        if one is None:
            changed.append((name, "it is not enrolled any more"))
        elif one.inventory is None:
            away.append((name, one.failure.message if one.failure else "it does not answer"))
        elif name in held:
            changed.append((name, f"{held[name].source} {held[name].version} is held back"))
        elif one.inventory.packages.digest != plan.host(name).package_set:
            changed.append((name, "its packages have changed since the plan was made"))
        else:
            ready.append(name)
    return CaughtUp("", plan.id, tuple(ready), tuple(away), tuple(changed))
