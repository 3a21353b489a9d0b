"""Taking hosts back: what it would do and where it is not safe any more, then doing it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from suture.core.documents import Document
from suture.core.planning.plan import Plan
from suture.core.rollout.state import HostPhase
from suture.core.rollout.transitions import RefusedError as CoreRefusedError
from suture.core.rollout.ways_back import (
    AskedBack,
    Refusal,
    WayBack,
    in_order,
    keeping_data,
    narrowed,
    of_waves,
)
from suture.engine import ticks
from suture.hosts.rollback import Preview, Refused, preview
from suture.hosts.transport import HostError
from suture.services import fleet, mitigating, policies, snapshot_hook
from suture.services.collecting import clock
from suture.services.errors import NotFoundError, RefusedError
from suture.services.host_work import FleetRunner
from suture.services.rollouts import RolloutView, get, runner_for, view_of
from suture.services.workspace import Workspace
from suture.store import plans as stored_plans
from suture.store import rollouts
from suture.store.database import Store
from suture.store.rollouts import StoredRollout

ASKING_S = 5.0  # a person waits for the answer

_WITHOUT_OWN = {Refusal.NO_SNAPSHOT, Refusal.UNREACHABLE, Refusal.NO_BUNDLE}
_PATCHED = (HostPhase.DONE, HostPhase.FAILED, HostPhase.LOST, HostPhase.ROLLBACK_FAILED)


class Wish(Document, frozen=True):
    """Which hosts of a rollout are to go back, and how: those that are among ``hosts``, in one of
    ``waves``, numbered from 1, and in one of ``rings``, as far as any of these are named."""

    hosts: tuple[str, ...] = ()
    waves: tuple[int, ...] = ()
    rings: tuple[str, ...] = ()
    how: WayBack = WayBack()


class Proposal(Document, frozen=True):
    """What would happen, host by host in the order of the waves. ``data`` are the source packages
    whose data stays as it is now. ``machines`` are hosts that go back as whole machines, and the
    ids of their snapshots."""

    rollout: str
    how: WayBack
    hosts: tuple[Preview, ...]
    data: tuple[str, ...]
    machines: tuple[tuple[str, str], ...] = ()

    @property
    def ready(self) -> tuple[str, ...]:
        """The hosts that may go back."""
        return tuple(host.host for host in self.hosts if not host.refusals)


async def propose(
    workspace: Workspace, rollout_id: str, wish: Wish, *, policy_file: Path | None = None
) -> Proposal:
    """Ask each host; nothing is changed. Raises :class:`NotFoundError` for what the rollout has
    not, :class:`RefusedError` where nothing was patched."""
    policy, _ = policies.load(workspace, policy_file)
    with fleet.opened(workspace) as store:
        found = view_of(store, get(store, rollout_id))
        wanted = _wanted(found, wish)
        runner, _ = runner_for(workspace, store, policy)
        elsewhere = _elsewhere(store, found.rollout, wanted)
        looks = (_look(runner, found, name, wish.how, elsewhere) for name in wanted)
        previews = await asyncio.gather(*looks)
        sources = {
            change.source
            for name in wanted
            for change in narrowed(found.plan.host(name), wish.how.sources).changes
        }
        explained = tuple(_explained(store, found, one) for one in previews)
    machines = {one.host: _machine(runner, found, one, wish.how) for one in explained}
    hosts = tuple(_as_machine(one, machines[one.host], wish.how) for one in explained)
    used = tuple((host, snapshot) for host, snapshot in machines.items() if snapshot)
    return Proposal(found.rollout.id, wish.how, hosts, keeping_data(sources), used)


def begin(workspace: Workspace, proposal: Proposal, *, actor: str, reason: str) -> None:
    """Have the hosts that may go back do so; driving the rollout does the work.

    Raises :class:`RefusedError` where none may, or where one has gone on meanwhile.
    """
    if not proposal.ready:
        raise RefusedError(
            "no host can be taken back safely", "See the reasons above; decide by hand."
        )
    machines = dict(proposal.machines)
    asked = tuple(
        AskedBack(host, replace(proposal.how, machine_snapshot=machines.get(host, "")), reason)
        for host in proposal.ready
    )
    with fleet.opened(workspace) as store:
        try:
            ticks.ask_back(store, proposal.rollout, asked, actor=actor, now=clock())
        except CoreRefusedError as error:
            raise RefusedError(str(error)) from None
        plan = ticks.load_plan(store, proposal.rollout)
        mitigating.record_rollout(store, plan, get(store, proposal.rollout).state, clock())


def _wanted(found: RolloutView, wish: Wish) -> tuple[str, ...]:
    plan, rollout = found.plan, found.rollout
    phases = rollouts.host_phases(rollout.state)
    for name in wish.hosts:
        if name not in phases:
            raise NotFoundError(
                f"{name} is not a host of rollout {rollout.id}",
                f"See them: suture rollout status {rollout.id}",
            )
    try:
        named = set(of_waves(plan, wish.waves, wish.rings))
    except KeyError as error:
        raise NotFoundError(
            f"rollout {rollout.id} has no wave or ring {error.args[0]}",
            f"See them: suture rollout status {rollout.id}",
        ) from None
    if strangers := [name for name in wish.hosts if name not in named]:
        raise NotFoundError(
            f"{', '.join(strangers)}: not in the waves that are named as well",
            f"Name hosts, or waves and rings; see them: suture rollout status {rollout.id}",
        )
    named = named & set(wish.hosts) if wish.hosts else named
    partly = {h.host for h in rollout.state.hosts if h.way_back and h.way_back.is_partial}
    patched = {
        host
        for host, phase in phases.items()
        if phase in _PATCHED or (phase is HostPhase.ROLLED_BACK and host in partly)
    }
    whole = not (wish.hosts or wish.waves or wish.rings)
    wanted = in_order(plan, patched if whole else named & (patched | set(wish.hosts)))
    wanted = tuple(name for name in wanted if _changes(plan, name, wish.how))
    if wish.how.is_partial and not wanted:
        raise NotFoundError(
            f"rollout {rollout.id} patched no {', '.join(wish.how.sources)} there",
            "Name source packages as the plan does: suture plan show.",
        )
    if not wanted or not patched & set(wanted):
        raise _nothing(rollout, named or set(phases))
    return wanted


def _nothing(rollout: StoredRollout, names: set[str]) -> RefusedError:
    """What the hosts are instead of patched, and what is to be done about it."""
    phases = Counter(host.phase for host in rollout.state.hosts if host.host in names)
    told = ", ".join(f"{count:,} {phase.value}" for phase, count in phases.items())
    return RefusedError(
        f"no host is there to be taken back from rollout {rollout.id}: {told}",
        f"Let those at work come to their end: suture rollout watch {rollout.id}"
        if any(phase.is_at_work for phase in phases)
        else f"See them: suture rollout status {rollout.id}",
    )


def _changes(plan: Plan, host: str, how: WayBack) -> bool:
    part = narrowed(plan.host(host), how.sources)
    return bool(part.changes or part.controls)


def _elsewhere(store: Store, mine: StoredRollout, names: Sequence[str]) -> Mapping[str, str]:
    """Hosts that another rollout works on or is about to, and which."""
    with store.read() as connection:
        others = rollouts.unfinished(connection)
    return {
        host.host: other.id
        for other in others
        if other.id != mine.id
        for host in other.state.hosts
        if host.host in names and not host.phase.is_final
    }


async def _look(
    runner: FleetRunner, found: RolloutView, name: str, how: WayBack, elsewhere: Mapping[str, str]
) -> Preview:
    if name in elsewhere:
        busy = f"it has a part in rollout {elsewhere[name]}; let that one end, or abort it"
        return Preview(name, refusals=(Refused(Refusal.BUSY, busy),))
    phase = rollouts.host_phases(found.rollout.state)[name]
    if phase.is_at_work or phase.is_to_come or phase is HostPhase.SKIPPED:
        return Preview(name, refusals=(Refused(Refusal.BUSY, f"it is {phase.value}"),))
    session = runner.session(found.rollout.id, name, how=how)
    session.settings = replace(session.settings, reconnect_s=ASKING_S)
    try:
        return await preview(session)
    except HostError as error:
        why = f"{error.failure.message}; {error.failure.remedy}"
        return Preview(name, refusals=(Refused(Refusal.UNREACHABLE, why),))
    finally:
        await session.close()


def _explained(store: Store, found: RolloutView, seen: Preview) -> Preview:
    """With the later rollouts that changed the same packages, and what to do about each refusal."""
    later = _later(store, found, seen.host)
    return replace(
        seen,
        refusals=tuple(
            replace(one, reason=f"{one.reason}; {_remedy(one.kind, later)}")
            if _remedy(one.kind, later)
            else one
            for one in seen.refusals
        ),
    )


def _machine(runner: FleetRunner, found: RolloutView, seen: Preview, how: WayBack) -> str:
    """The snapshot of the whole machine where the host has none of its own, empty for none."""
    hook = runner.hook(seen.host)
    without_own = {one.kind for one in seen.refusals} & _WITHOUT_OWN
    if not (how.snapshot and without_own and hook and hook.restore):
        return ""
    return snapshot_hook.taken(found.reports, seen.host)


def _as_machine(seen: Preview, snapshot: str, how: WayBack) -> Preview:
    """A machine goes back to its snapshot whatever state it is in, if its data may be lost."""
    if not snapshot:
        return seen
    if how.accept_data_loss:
        return replace(seen, refusals=())
    why = f"all that the machine wrote since is lost; {_remedy(Refusal.DATA_LOSS, ())}"
    return replace(seen, refusals=(Refused(Refusal.DATA_LOSS, why),))


def _remedy(kind: Refusal, later: Sequence[str]) -> str:
    match kind:
        case Refusal.CHANGED_PACKAGES if later:
            return f"rollout {later[0]} did that: take that one back first"
        case Refusal.CHANGED_PACKAGES:
            return "they were changed by hand after this patch, so decide by hand"
        case Refusal.DEPENDENTS:
            return "they came since and need the new versions; remove or update them first"
        case Refusal.CHANGED_CONFIGURATION:
            return "somebody changed it after the patch; --keep-changed leaves it as it is"
        case Refusal.CHANGED_DATA:
            return (
                "the old version may not read it: put its data back as well with --with-data where "
                "the bundle has it, or insist with --accept-changed-data"
            )
        case Refusal.NO_SNAPSHOT:
            return "roll back by packages, without --snapshot"
        case Refusal.DATA_LOSS:
            return "a way back by packages keeps it; else insist with --accept-data-loss"
        case Refusal.NO_BUNDLE:
            return "restore this host from its backup"
    return ""


def _later(store: Store, found: RolloutView, host: str) -> tuple[str, ...]:
    """Rollouts that began later and patched some of the same packages, newest first."""
    mine = {change.key for change in found.plan.host(host).changes}
    with store.read() as connection:
        newer = [
            one
            for one in rollouts.listing(connection)
            if one.started_at > found.rollout.started_at
            and rollouts.host_phases(one.state).get(host) in _PATCHED
        ]
        plans = {one.id: stored_plans.get(connection, one.plan) for one in newer}
    return tuple(
        rollout
        for rollout, plan in plans.items()
        if plan and mine & {change.key for change in plan.host(host).changes}
    )
