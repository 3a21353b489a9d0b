"""What earlier rollouts achieved on hosts: what a patch must not undo."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from suture.core.controls import Control
from suture.core.intelligence.advisory_index import AdvisoryIndex
from suture.core.inventory import Host
from suture.core.planning.plan import HostPlan, Plan
from suture.core.rollout.state import HostPhase
from suture.services.knowledge import known_about
from suture.store import knowledge, rollouts
from suture.store import plans as stored_plans
from suture.store.database import Store, query_of
from suture.twin.regression import Regression

_MOST_ROLLOUTS = 200


def earlier_work(
    store: Store,
    plan: Plan,
    host: HostPlan,
    enrolled: Host,
    paths: tuple[str, ...],
    now: datetime,
) -> Regression:
    """For a twin of ``host``: what was closed on any host of its class, for they have the same
    packages; the controls in force on itself; ``paths``, the configuration changed on itself.

    Controls that the plan replaces are its own matter.
    """
    alike = {one.host for one in plan.hosts if one.class_id == host.class_id}
    replaced = {control.target for control in host.controls}
    with store.read() as connection:
        closed = _closed(connection, alike)
        in_force = _in_force(connection, host.host, replaced)
    index = known_about(store, {host.release}, now=now).index if closed else AdvisoryIndex(())
    return Regression(enrolled, closed, in_force, paths, index)


def _closed(connection: sa.Connection, names: Collection[str]) -> tuple[str, ...]:
    """The vulnerabilities closed by rollouts that were not taken back."""
    found: set[str] = set()
    for rollout in rollouts.listing(connection)[:_MOST_ROLLOUTS]:
        done = {one.host for one in rollout.state.hosts if one.phase is HostPhase.DONE}
        if done.isdisjoint(names):
            continue
        plan = stored_plans.get(connection, rollout.plan)
        for one in plan.hosts if plan else ():
            if one.host in names and one.host in done:
                found.update(one.closes)
    return tuple(sorted(found))


def _in_force(
    connection: sa.Connection, host: str, replaced: Collection[tuple[str, ...]]
) -> tuple[Control, ...]:
    return tuple(
        one.control
        for one in knowledge.in_force(query_of(connection))
        if one.host == host and one.control.target not in replaced
    )
