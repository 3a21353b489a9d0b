"""Composes selection, rings, limits and expectations into a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from suture.core.assessment.findings import Finding
from suture.core.controls import Control
from suture.core.documents import digest
from suture.core.durations import Durations
from suture.core.inventory import Host, Inventory
from suture.core.planning import timing
from suture.core.planning.eligibility import Eligibility
from suture.core.planning.host_plans import HostPlans
from suture.core.planning.plan import CatchUp, HeldBack, HostPlan, LeftOut, Plan, Timetable
from suture.core.planning.scheduling import assign_rings, service_limits, waves
from suture.core.policies.approvals import ApprovalPolicy
from suture.core.policy import OnFailure, Policy
from suture.core.selection.ledger import Selection
from suture.core.words import seconds

SCHEMA = 1

NOTHING_LEARNED = Durations()


def make_plan(
    *,
    hosts: Sequence[Host],
    inventories: Mapping[str, Inventory],
    selections: Mapping[str, Selection],
    findings: Mapping[str, Sequence[Finding]],
    policy: Policy,
    now: datetime,
    left_out: Sequence[LeftOut] = (),
    held_back: Sequence[HeldBack] = (),
    controls: Sequence[Control] = (),
    parent: str | None = None,
    durations: Durations = NOTHING_LEARNED,
) -> Plan:
    """The plan for ``hosts``: a pure function of its arguments.

    ``inventories``, ``selections`` and ``findings`` are by host name. ``left_out`` are hosts that
    the caller could not reach or chose to leave out; of ``hosts``, each ends in the plan or among
    those left out, with the reason. Shares and service limits are of all ``hosts``. Each of
    ``controls`` goes to the hosts that its condition means, and may be all that is done to one.
    ``durations`` are those of earlier runs.
    """
    rings = assign_rings(hosts, policy)
    out = {entry.host: entry for entry in left_out}
    plans, eligibility = HostPlans(policy), Eligibility(policy, rings, now)
    planned: list[HostPlan] = []
    for host in sorted(hosts, key=lambda host: host.name):
        inventory = inventories.get(host.name)
        if host.name in out:
            if inventory is None:
                out[host.name] = replace(out[host.name], unknown=True)
            continue
        selection = selections.get(host.name)
        applying = _applying(controls, host, inventory)
        reason = eligibility.why_left_out(host, inventory, selection, applying)
        if reason is not None:
            out[host.name] = reason
        elif inventory is not None and selection is not None:
            known = findings.get(host.name, ())
            ring = rings[host.name]
            planned.append(plans.make(host, inventory, selection, applying, known, ring))
    urgency = timing.urgencies(planned, findings)
    table: Timetable | UnsetType = UNSET
    if timing.is_timed(policy):
        table, never = timing.timetable(planned, hosts, urgency, policy, durations, now)
        out |= {entry.host: entry for entry in never}
        planned = [host for host in planned if host.host not in out]
    in_waves = waves(planned, policy, urgency)
    if table:
        table = timing.forecast(table, in_waves, urgency, now)
    jumps = sorted({host.jump for host in planned if host.jump})
    return Plan(
        schema=SCHEMA,
        created_at=now,
        policy=digest(policy),
        parent=parent,
        hosts=tuple(planned),
        waves=in_waves,
        services=service_limits(hosts, policy),
        left_out=tuple(sorted(out.values(), key=lambda entry: entry.host)),
        held_back=tuple(held_back),
        rollback_on_failure=policy.on_failure is not OnFailure.PAUSE,
        jump_limits=tuple((jump, policy.concurrency.per_jump) for jump in jumps),
        timetable=table,
        approvals=policy.approvals if policy.approvals != ApprovalPolicy() else UNSET,
        max_held_back=policy.max_held_back,
        catch_up=CatchUp(policy.catch_up.tries, seconds(policy.catch_up.every)),
        starts_per_minute=policy.concurrency.starts_per_minute or UNSET,
        predownload_s=seconds(policy.predownload) if policy.predownload else UNSET,
    )


def _applying(
    controls: Sequence[Control], host: Host, inventory: Inventory | None
) -> tuple[Control, ...]:
    if inventory is None or not controls:
        return ()
    return tuple(control for control in controls if control.applies(host, inventory))
