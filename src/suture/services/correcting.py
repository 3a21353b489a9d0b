"""The plan for the hosts that a rollout left out, without what failed."""

from __future__ import annotations

from suture.core.planning.plan import LeftOut, Plan
from suture.core.policy import Policy
from suture.core.rollout.holding import left_out
from suture.core.rollout.state import RolloutStatus
from suture.services import plans
from suture.services.errors import ServiceError
from suture.store import hosts
from suture.store import plans as stored_plans
from suture.store.database import Store
from suture.store.rollouts import StoredRollout

ACTOR = "suture"


def corrected(store: Store, rollout: StoredRollout, plan: Plan) -> Plan | None:
    """The newest plan that corrects ``plan`` by all that the rollout held back."""
    if not rollout.state.held_back:
        return None
    held = {(one.source, one.version) for one in rollout.state.held_back}
    with store.read() as connection:
        children = stored_plans.corrections(connection, plan.id)
    return next((child for child in children if held <= _held(child)), None)


def correct(store: Store, rollout: StoredRollout, plan: Plan, policy: Policy) -> Plan | None:
    """Make that plan once the rollout has ended; None where there is nothing to correct, or
    nothing is left to do without what failed. It is not rehearsed, so it cannot be rolled out yet.
    """
    waiting = left_out(plan, rollout.state)
    if rollout.state.status is not RolloutStatus.DONE or not waiting:
        return None
    if known := corrected(store, rollout, plan):
        return known
    with store.read() as connection:
        enrolled = {host.name: host for host in hosts.listing(connection)}
    names = [host.host for host in plan.hosts] + [host.host for host in plan.left_out]
    made = plans.make(
        store,
        hosts=[enrolled[name] for name in names if name in enrolled],
        policy=policy,
        held_back=(*plan.held_back, *rollout.state.held_back),
        left_out=[
            LeftOut(name, f"rollout {rollout.id} did not leave it out")
            for name in names
            if name not in waiting
        ],
        controls=plans.controls_of(plan),
        parent=plan.id,
    )
    if not made.hosts:
        return None
    try:
        plans.save(store, made, ACTOR)
    except ServiceError:
        return None
    return made


def _held(plan: Plan) -> set[tuple[str, str]]:
    return {(one.source, one.version) for one in plan.held_back}
