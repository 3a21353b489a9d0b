"""People agree to plans and to waves of rollouts, as one of their roles."""

from __future__ import annotations

import grp
import os
import pwd

from suture.core.documents import Document
from suture.core.planning.plan import Plan
from suture.core.rollout.approvals import Approval, Approvals, rules
from suture.core.rollout.transitions import RefusedError as CoreRefusedError
from suture.engine import ticks
from suture.services import fleet, plans, rollouts
from suture.services.collecting import clock
from suture.services.errors import RefusedError
from suture.services.workspace import Workspace
from suture.store.rollouts import StoredRollout


def approve_rollout(
    workspace: Workspace,
    rollout_id: str,
    *,
    actor: str,
    role: str = "",
    ring: str = "",
    reason: str = "",
) -> StoredRollout:
    """Let the next wave start, or, with ``ring``, all that are to come of it.

    Raises :class:`RefusedError` where the person may not, or has already.
    """
    with fleet.opened(workspace) as store:
        found = rollouts.get(store, rollout_id)
        plan = ticks.load_plan(store, found.id)
        _refuse_unknown_ring(plan, ring)
        try:
            return ticks.approve(
                store,
                plan,
                found.id,
                by=actor,
                roles=roles_of(plan, actor),
                role=role,
                ring=ring,
                reason=reason,
                now=clock(),
            )
        except CoreRefusedError as error:
            raise RefusedError(str(error), f"See it: suture rollout status {found.id}") from None


def approve_plan(
    workspace: Workspace,
    plan_id: str,
    *,
    actor: str,
    role: str = "",
    ring: str = "",
    reason: str = "",
) -> tuple[Plan, tuple[Approval, ...]]:
    """Agree to waves of a plan before it is started: to those of ``ring``, or to all that ask.

    Raises :class:`RefusedError` where the person may not, or has already.
    """
    with fleet.opened(workspace) as store:
        plan = plans.get(store, plan_id)
        _refuse_unknown_ring(plan, ring)
        with store.read() as connection:
            given = ticks.plan_approvals(connection, plan.id)
        asking = [one for one in plan.waves if one.ring == (ring or one.ring) and rules(plan, one)]
        added = Approvals(plan, given, now=clock()).granted(
            asking, by=actor, roles=roles_of(plan, actor), role=role, reason=reason
        )
        if isinstance(added, str):
            raise RefusedError(added, f"See it: suture plan show {plan.id}")
        ticks.approve_plan(store, added, actor)
    return plan, added


class Agreed(Document, frozen=True):
    """The approvals of a plan, and what its waves wait for still, in words."""

    given: tuple[Approval, ...]
    waits: tuple[str, ...]


def agreed(workspace: Workspace, plan: Plan) -> Agreed:
    """What was said to the plan itself; a rollout of it may have been approved besides."""
    with fleet.opened(workspace) as store, store.read() as connection:
        given = ticks.plan_approvals(connection, plan.id)
    standing = Approvals(plan, given, now=clock())
    return Agreed(given, tuple(filter(None, map(standing.missing, plan.waves))))


def roles_of(plan: Plan, actor: str) -> tuple[str, ...]:
    """The person's roles, by the plan's own list of names and of this system's groups."""
    if not plan.approvals:
        return ()
    login = actor.partition("@")[0]
    return plan.approvals.roles_of(login, _groups(login))


def _groups(login: str) -> frozenset[str]:
    """Empty for who has no account here."""
    try:
        ids = os.getgrouplist(login, pwd.getpwnam(login).pw_gid)
    except (KeyError, OSError):
        return frozenset()
    return frozenset(filter(None, map(_group, ids)))


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return ""


def _refuse_unknown_ring(plan: Plan, ring: str) -> None:
    if ring and ring not in {wave.ring for wave in plan.waves}:
        there = ", ".join(dict.fromkeys(wave.ring for wave in plan.waves)) or "none"
        raise RefusedError(
            f"plan {plan.id} has no wave of ring {ring!r:.80}", f"Its rings: {there}."
        )
