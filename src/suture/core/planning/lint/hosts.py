"""Rules about what a plan does to each host."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from msgspec import UNSET

from suture.core.controls import fault, masked_units
from suture.core.data_backups import is_data_path, is_dump_name
from suture.core.documents import digest
from suture.core.inventory import HealthCheckKind
from suture.core.planning.hooks import Hook, HookPhase
from suture.core.planning.lint.problems import REPLAN, Problem, error, warning
from suture.core.planning.plan import HostPlan, Plan
from suture.core.selection.ledger import Action, Change, Reason
from suture.core.versions import compare, is_valid

_SHA256 = re.compile(r"[0-9a-f]{64}")


def _host_plans(plan: Plan) -> Iterator[Problem]:
    """What is done to a host is complete, and proved by digests. Hosts that share the very same
    changes or ledger, as clones do, have these looked at once."""
    judged: dict[int, tuple[str, tuple[tuple[str, str], ...]]] = {}
    sound: set[tuple[int, int]] = set()
    for host in plan.hosts:
        if id(host.changes) not in judged:
            judged[id(host.changes)] = digest(host.changes), tuple(_faults_of(host.changes))
        patch_set, faults = judged[id(host.changes)]
        if not _SHA256.fullmatch(host.package_set):
            message = "the package set that the plan assumes is not a digest"
            yield error("package-set", host.host, message, REPLAN)
        if host.patch_set != patch_set:
            message = "the patch set's digest is not that of its changes"
            yield error("patch-set", host.host, message, REPLAN)
        if not host.changes and not host.controls:
            yield error("no-changes", host.host, "nothing is to be changed", REPLAN)
        if not host.checks:
            message = "has no health check: only the packages will be verified"
            remedy = "Add one to the policy's checks, or allow propose_checks."
            yield warning("no-checks", host.host, message, remedy)
        for code, message in faults:
            yield error(code, host.host, message, REPLAN)
        both = id(host.ledger), id(host.changes)
        if both not in sound:
            problems = tuple(_ledger(host))
            yield from problems
            if not problems:
                sound.add(both)
        if host.controls:
            yield from _controls(host)


def _faults_of(changes: tuple[Change, ...]) -> Iterator[tuple[str, str]]:
    for key, times in Counter(change.key for change in changes).items():
        if times > 1:
            yield "duplicate-package", f"{key} is changed twice"
    for change in changes:
        yield from _faults(change)


@lru_cache(maxsize=65_536)  # most hosts of a fleet share their changes
def _faults(change: Change) -> tuple[tuple[str, str], ...]:
    """Code and message of each problem of a change, whatever host it is for."""
    what = f"{change.key} {change.after}"
    found = []
    if not _SHA256.fullmatch(change.sha256) or change.size <= 0 or not change.filename:
        found.append(("unverified-package", f"{what} is not named by SHA-256, size and file"))
    if not change.after:
        found.append(("removal", f"{change.key} has no version to change to"))
    elif change.before is None:
        if change.action is not Action.INSTALL:
            found.append(("action", f"{what} is new and not an install"))
    elif change.action is not Action.UPGRADE:
        found.append(("action", f"{what} is installed and not an upgrade"))
    elif (order := _compare(change.after, change.before)) is None:
        message = f"{change.key}: {change.before} → {change.after} cannot be compared"
        found.append(("bad-version", message))
    elif order <= 0:
        message = f"{change.key}: {change.before} → {change.after} is no upgrade"
        found.append(("downgrade", message))
    return tuple(found)


def _compare(one: str, other: str) -> int | None:
    return compare(one, other) if is_valid(one) and is_valid(other) else None


def _ledger(host: HostPlan) -> Iterator[Problem]:
    """The ledger adds up, and what it calls taken is what is upgraded."""
    if not host.ledger.reconciles:
        message = f"{len(host.ledger.entries)} entries for {host.ledger.available} updates"
        yield error("ledger-sum", host.host, message, REPLAN)
    taken = {
        (entry.package, entry.arch, entry.available)
        for entry in host.ledger.entries
        if entry.reason in (Reason.SELECTED, Reason.REQUIRED)
    }
    upgrades = {
        (change.package, change.arch, change.after)
        for change in host.changes
        if change.action is Action.UPGRADE
    }
    for package, arch, version in sorted(taken ^ upgrades):
        side = "ledger" if (package, arch, version) in taken else "changes"
        message = f"{package}:{arch} {version} is in the {side} alone"
        yield error("ledger-changes", host.host, message, REPLAN)


def _controls(host: HostPlan) -> Iterator[Problem]:
    """Controls that may reach a host, and that contradict neither each other nor the checks."""
    where = host.host
    for control in host.controls:
        if problem := fault(control):
            message = f"control {control.id!r:.60} is not valid: {problem}"
            yield error("bad-control", where, message, "Correct its file, and plan again.")
    for what, names in (
        ("id", [control.id for control in host.controls]),
        ("target", [" ".join(control.target) for control in host.controls]),
    ):
        for name, times in Counter(names).items():
            if times > 1:
                message = f"{times} controls have the {what} {name}"
                yield error("control-conflict", where, message, "Leave one of them out.")
    masked = masked_units(host.controls)
    for check in host.checks:
        if check.kind is HealthCheckKind.UNIT and check.target in masked:
            message = f"a control masks {check.target}, and a health check wants it to run"
            yield error("masked-check", where, message, "Leave out the control or the check.")


@lru_cache(maxsize=4096)  # most hosts of a fleet share their hooks
def _fault_of_hooks(hooks: tuple[Hook, ...]) -> str:
    phases = {hook.when for hook in hooks}
    if HookPhase.DRAIN in phases and HookPhase.UNDRAIN not in phases:
        return "is drained by a hook, and put back by none"
    if any(not hook.command.strip() or hook.timeout_s <= 0 for hook in hooks):
        return "has a hook without a command, or without time for it"
    return ""


def _hooks(plan: Plan) -> Iterator[Problem]:
    """Commands that can be run, and nothing drained for good."""
    for host in plan.hosts:
        if host.hooks and (message := _fault_of_hooks(host.hooks)):
            yield error("hooks", host.host, message, "Correct the policy's hooks, and plan again.")


def _backups(plan: Plan) -> Iterator[Problem]:
    """What is kept as data may be replaced on a way back: it is no part of the system."""
    for host in plan.hosts:
        if not host.backup:
            continue
        wrong = [one.path for one in host.backup.directories if not is_data_path(one.path)]
        wrong += [one.name for one in host.backup.dumps if not is_dump_name(one.name)]
        for name in wrong:
            message = f"{name!r:.80} is no directory of data, or no name of a dump"
            remedy = "Correct the policy's backup; plan again."
            yield error("bad-backup", host.host, message, remedy)


def _reboots(plan: Plan) -> Iterator[Problem]:
    """A host that is rebooted has time to come back."""
    for host in plan.hosts:
        if host.reboot_budget_s is not UNSET and host.reboot_budget_s <= 0:
            message = "has no time to come back from a reboot"
            yield error("reboot-budget", host.host, message, REPLAN)


def _held_back(plan: Plan) -> Iterator[Problem]:
    """Nothing that failed a rehearsal or hurt a host is deployed again."""
    reasons = {(entry.source, entry.version): entry.reason for entry in plan.held_back}
    if not reasons:
        return
    for host in plan.hosts:
        for source, version in sorted({(c.source, c.source_version) for c in host.changes}):
            if (source, version) in reasons:
                message = f"{source} {version} is held back: {reasons[source, version]}"
                yield error("held-back", host.host, message, REPLAN)


RULES = (_host_plans, _backups, _hooks, _reboots, _held_back)
