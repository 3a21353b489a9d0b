"""Composes selection, rings, limits and expectations into a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from suture.core.assessment.findings import Finding
from suture.core.controls import Control
from suture.core.documents import digest
from suture.core.durations import Durations
from suture.core.inventory import Host, Inventory
from suture.core.planning import expectations, timing
from suture.core.planning.plan import HeldBack, HostPlan, LeftOut, Plan, Timetable
from suture.core.planning.scheduling import assign_rings, service_limits, waves
from suture.core.policy import OnFailure, Policy
from suture.core.selection.ledger import Change, Ledger, Selection
from suture.core.versions import compare, is_valid
from suture.core.words import seconds

SCHEMA = 1

SUPPORTED_MANAGERS = ("apt",)

# A Debian 12 host on two shared cores fetched 23 packages (20 MB) in 1.2 s and installed them in
# 19.3 s. Expectation enough to order a night's work by; restarts, checks and reboots come on top.
BYTES_PER_S = 17_000_000
PACKAGE_S = 0.84

NOTHING_LEARNED = Durations()


def make_plan(
    *,
    hosts: Sequence[Host],
    inventories: Mapping[str, Inventory],
    selections: Mapping[str, Selection],
    findings: Sequence[Finding],
    policy: Policy,
    now: datetime,
    left_out: Sequence[LeftOut] = (),
    held_back: Sequence[HeldBack] = (),
    controls: Sequence[Control] = (),
    parent: str | None = None,
    durations: Durations = NOTHING_LEARNED,
) -> Plan:
    """The plan for ``hosts``: a pure function of its arguments.

    ``inventories`` and ``selections`` are by host name. ``left_out`` are hosts that the caller
    could not reach or chose to leave out; of ``hosts``, each ends in the plan or among those left
    out, with the reason. Shares and service limits are of all ``hosts``. Each of ``controls`` goes
    to the hosts that its condition means, and may be all that is done to one. ``durations`` are
    those of earlier runs.
    """
    rings = assign_rings(hosts, policy)
    by_host: dict[str, list[Finding]] = {}
    for finding in findings:
        by_host.setdefault(finding.host, []).append(finding)
    out = {entry.host: entry for entry in left_out}
    planned: list[HostPlan] = []
    for host in sorted(hosts, key=lambda host: host.name):
        inventory = inventories.get(host.name)
        if host.name in out:
            if inventory is None:
                out[host.name] = replace(out[host.name], unknown=True)
            continue
        selection = selections.get(host.name)
        applying = _applying(controls, host, inventory)
        reason = _why_left_out(host, inventory, selection, applying, rings, policy, now)
        if reason is not None:
            out[host.name] = reason
        elif inventory is not None and selection is not None:
            known = by_host.get(host.name, [])
            ring = rings[host.name]
            planned.append(_host_plan(host, inventory, selection, applying, known, policy, ring))
    urgency = timing.urgencies(planned, by_host)
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
        rollback_on_failure=policy.on_failure is OnFailure.ROLL_BACK_HOST,
        jump_limits=tuple((jump, policy.concurrency.per_jump) for jump in jumps),
        timetable=table,
    )


def closed_cves(changes: Sequence[Change], findings: Sequence[Finding]) -> tuple[str, ...]:
    """The CVEs that ``changes`` close: the changes' own, and every finding of the host whose
    source reaches the fixed version."""
    reached = {change.source: change.source_version for change in changes}
    cves = {cve for change in changes for cve in change.cves}
    for finding in findings:
        version = reached.get(finding.source)
        if version and finding.fixed and _reaches(version, finding.fixed):
            cves.add(finding.cve)
    return tuple(sorted(cves))


@lru_cache(maxsize=65_536)
def _reaches(version: str, fixed: str) -> bool:
    """What cannot be compared is not said to be closed."""
    return is_valid(version) and is_valid(fixed) and compare(version, fixed) >= 0


def _applying(
    controls: Sequence[Control], host: Host, inventory: Inventory | None
) -> tuple[Control, ...]:
    if inventory is None:
        return ()
    return tuple(control for control in controls if control.applies(host, inventory))


def _host_plan(
    host: Host,
    inventory: Inventory,
    selection: Selection,
    controls: tuple[Control, ...],
    findings: Sequence[Finding],
    policy: Policy,
    ring: str,
) -> HostPlan:
    changes = selection.changes
    package_set, patch_set = inventory.packages.digest, selection.patch_set
    size = sum(change.size for change in changes)
    return HostPlan(
        host=host.name,
        release=inventory.os.release,
        arch=inventory.arch,
        package_set=package_set,
        class_id=expectations.class_id(inventory, package_set, patch_set, controls),
        patch_set=patch_set,
        changes=changes,
        ledger=selection.ledger,
        closes=closed_cves(changes, findings),
        ring=ring,
        service=host.service,
        checks=expectations.health_checks(host, inventory, policy, controls),
        restarts=expectations.expected_restarts(inventory, changes),
        reboot=policy.reboot,
        reboot_expected=expectations.expects_reboot(inventory, changes, policy.reboot),
        download_bytes=size,
        estimated_s=round(size / BYTES_PER_S + PACKAGE_S * len(changes), 1),
        jump=host.jump,
        controls=controls,
    )


def _why_left_out(
    host: Host,
    inventory: Inventory | None,
    selection: Selection | None,
    controls: Sequence[Control],
    rings: Mapping[str, str],
    policy: Policy,
    now: datetime,
) -> LeftOut | None:
    """Why the host is not planned, None where it is."""
    if inventory is None:
        return LeftOut(host.name, "never seen; run `suture scan`", unknown=True)
    limit = policy.preflight.max_inventory_age
    age = now - inventory.collected_at
    if age.total_seconds() > seconds(limit):
        reason = f"last seen {_ago(age)} ago, {limit} may be; run `suture scan`"
        return LeftOut(host.name, reason, unknown=True)
    reason = (
        _unfit(inventory, policy)
        or _without_ring(host, rings)
        or _without_changes(inventory, selection, controls)
    )
    return LeftOut(host.name, reason) if reason else None


def _unfit(inventory: Inventory, policy: Policy) -> str:
    if inventory.package_manager not in SUPPORTED_MANAGERS:
        manager = inventory.package_manager or "none"
        return f"package manager {manager} is not supported; only {SUPPORTED_MANAGERS[0]} is"
    broken = inventory.packages.broken
    if broken:
        shown = ", ".join(f"{package.name} {package.state}" for package in broken[:3])
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        return f"packages are broken ({shown}{more}); run `dpkg --configure -a` there"
    limit = policy.preflight.max_indexes_age
    if inventory.indexes_age_s is None:
        return "it has no package lists; run `apt-get update` there"
    if inventory.indexes_age_s > seconds(limit):
        age = _ago(timedelta(seconds=inventory.indexes_age_s))
        return f"its package lists are {age} old, {limit} may be; run `apt-get update` there"
    return ""


def _without_ring(host: Host, rings: Mapping[str, str]) -> str:
    if host.name in rings:
        return ""
    if host.ring:
        return f"the policy has no ring `{host.ring}`; add it, or change the host's ring"
    return "no ring takes it; add a ring with neither hosts nor share, which takes the rest"


def _without_changes(
    inventory: Inventory, selection: Selection | None, controls: Sequence[Control]
) -> str:
    if selection is None:
        return "not assessed; run `suture scan`"
    if selection.changes or controls:
        return ""
    summary = _summary(selection.ledger)
    stale = sorted({process.unit or process.command for process in inventory.stale})
    restart = f"; {', '.join(stale[:3])} still run replaced files" if stale else ""
    return f"nothing to do: {summary}{restart}"


def _summary(ledger: Ledger) -> str:
    if not ledger.entries:
        return "no update is available"
    counts = sorted(ledger.counts().items())
    return f"{ledger.available} available, " + ", ".join(f"{n} {why}" for why, n in counts)


def _ago(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"
