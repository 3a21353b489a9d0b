"""Invariants over any plan, whoever or whatever wrote it.

Apart from the planner on purpose: it trusts nothing that the planner computed, so a mistake there,
or in a plan that somebody edited, is found before a host is touched.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from enum import StrEnum
from functools import lru_cache

from msgspec import UNSET

from suture.core.controls import fault, masked_units
from suture.core.data_backups import is_data_path, is_dump_name
from suture.core.documents import Document, digest
from suture.core.inventory import HealthCheckKind
from suture.core.planning.hooks import Hook, HookPhase
from suture.core.planning.plan import HostPlan, Plan, ServiceLimit, Slot, Wave
from suture.core.planning.windows import next_fit
from suture.core.selection.ledger import Action, Change, Reason
from suture.core.versions import compare, is_valid

_SHA256 = re.compile(r"[0-9a-f]{64}")


class ProblemSeverity(StrEnum):
    """A plan with an ERROR is not executed; a WARNING is for a person to weigh."""

    ERROR = "error"
    WARNING = "warning"


class Problem(Document, frozen=True):
    """``where`` is a host, a wave, a service or ``plan``; ``code`` is stable."""

    code: str
    severity: ProblemSeverity
    where: str
    message: str
    remedy: str


def lint(plan: Plan) -> tuple[Problem, ...]:
    """All problems of ``plan``: errors first, in the plan's own order within that."""
    problems = [problem for rule in _RULES for problem in rule(plan)]
    return tuple(sorted(problems, key=lambda problem: problem.severity is ProblemSeverity.WARNING))


def has_errors(problems: tuple[Problem, ...]) -> bool:
    return any(problem.severity is ProblemSeverity.ERROR for problem in problems)


def _error(code: str, where: str, message: str, remedy: str) -> Problem:
    return Problem(code, ProblemSeverity.ERROR, where, message, remedy)


def _warning(code: str, where: str, message: str, remedy: str) -> Problem:
    return Problem(code, ProblemSeverity.WARNING, where, message, remedy)


_WEEK_S = 7 * 86_400
_REPLAN = "Make the plan anew: suture plan create."


def _hosts_and_waves(plan: Plan) -> Iterator[Problem]:
    """Each planned host is in exactly one wave, and a wave has planned hosts alone."""
    planned = Counter(host.host for host in plan.hosts)
    placed = Counter(host for wave in plan.waves for host in wave.hosts)
    for host, times in planned.items():
        if times > 1:
            yield _error("duplicate-host", host, f"planned {times} times", _REPLAN)
        if placed[host] != 1:
            yield _error("host-waves", host, f"is in {placed[host]} waves, not in one", _REPLAN)
    for host in placed.keys() - planned.keys():
        yield _error("unplanned-host", host, "is in a wave and not planned", _REPLAN)
    for entry in plan.left_out:
        if entry.host in planned:
            yield _error("left-out-host", entry.host, "is planned and left out", _REPLAN)
    rings = {host: wave.ring for wave in plan.waves for host in wave.hosts}
    for planned_host in plan.hosts:
        if rings.get(planned_host.host, planned_host.ring) != planned_host.ring:
            message = f"is of ring {planned_host.ring} and in a wave of another"
            yield _error("host-ring", planned_host.host, message, _REPLAN)


def _waves(plan: Plan) -> Iterator[Problem]:
    """Numbers that a wave can be run with, and soaks where they matter."""
    repeated = [index for index, n in Counter(w.index for w in plan.waves).items() if n > 1]
    for index in repeated:
        yield _error("wave-index", f"wave {index}", "the number is there twice", _REPLAN)
    for wave in plan.waves:
        if wave.parallel < 1 or wave.max_failures < 0 or wave.soak_s < 0:
            message = "parallel below 1, or a negative soak or failure limit"
            yield _error("wave-limits", _name(wave), message, _REPLAN)
        if wave.wait_s is not UNSET and not 0 < wave.wait_s <= _WEEK_S:
            message = f"waits {wave.wait_s:g} s between two hosts"
            yield _error("wave-limits", _name(wave), message, _REPLAN)
        if wave.min_verified is not UNSET and not 1 <= wave.min_verified <= 100:
            message = f"is to have {wave.min_verified} % of its hosts verified"
            yield _error("wave-limits", _name(wave), message, _REPLAN)
        if not wave.hosts:
            yield _warning("empty-wave", _name(wave), "has no hosts", _REPLAN)
        elif wave.max_failures >= len(wave.hosts):
            message = f"may lose all of its {len(wave.hosts)} hosts (max_failures)"
            yield _warning("failure-limit", _name(wave), message, "Lower the ring's max_failures.")
    for wave in plan.waves[:-1]:
        if wave.soak_s == 0:
            message = "the next wave starts at once after it"
            yield _warning("no-soak", _name(wave), message, "Give the ring a soak, such as 10m.")


def _blast_radius(plan: Plan) -> Iterator[Problem]:
    """The first wave is small, and never the whole of a service."""
    total = sum(len(wave.hosts) for wave in plan.waves)
    if not plan.waves or total < 2:
        return
    first = plan.waves[0]
    if len(plan.waves) == 1:
        message = f"all {total} hosts are in one wave"
        yield _warning("one-wave", _name(first), message, "Give the policy more than one ring.")
    elif len(first.hosts) > max(1, total // 4):
        message = f"the first wave has {len(first.hosts)} of {total} hosts, more than a quarter"
        yield _warning("blast-radius", _name(first), message, "Make the first ring smaller.")
    inside = set(first.hosts)
    for limit in plan.services:
        if len(limit.members) > 1 and inside.issuperset(limit.members):
            message = f"the first wave holds all of service {limit.service}"
            remedy = "Put its members in different rings."
            yield _warning("whole-service", _name(first), message, remedy)


def _gates(plan: Plan) -> Iterator[Problem]:
    """Gates that can be asked, and that have something to compare with."""
    for at, wave in enumerate(plan.waves):
        if not wave.gate:
            continue
        if not 1 <= wave.gate.every_s <= 86_400:
            message = f"is to be looked at every {wave.gate.every_s:g} s"
            yield _error(
                "gate", _name(wave), message, "Correct the policy's gates, and plan again."
            )
        later = sum(len(one.hosts) for one in plan.waves[at + 1 :])
        if wave.gate.canary and later < 2:
            message = f"has {later} hosts of later waves to be compared with, and it takes two"
            remedy = "Its gate will pause the rollout. Put more hosts into later rings."
            yield _warning("gate-controls", _name(wave), message, remedy)


def _limits(plan: Plan) -> Iterator[Problem]:
    """Limits that can be kept, and that keep something up."""
    counted = {limit.service: frozenset(limit.members) for limit in plan.services}
    jumps = dict(plan.jump_limits)
    for host in plan.hosts:
        if host.service is not None and host.host not in counted.get(host.service, ()):
            message = f"its service {host.service} has no limit that counts it"
            yield _error("service-unlimited", host.host, message, _REPLAN)
        if host.jump is not None and host.jump not in jumps:
            message = f"its jump host {host.jump} has no limit"
            yield _error("jump-unlimited", host.host, message, _REPLAN)
    for limit in plan.services:
        where = f"service {limit.service}"
        yield from _kept_up(limit)
        if limit.max_out < 1:
            message = f"max_out is {limit.max_out}: none of its hosts could ever be patched"
            remedy = "Set max_out to at least 1, and quorum below the number of members."
            yield _error("service-limit", where, message, remedy)
        elif len(limit.members) == 1:
            message = "has one member: patching it takes the service down"
            yield _warning("single-member", where, message, "Add a member, or accept the outage.")
        elif limit.max_out >= len(limit.members):
            message = f"max_out {limit.max_out} lets all {len(limit.members)} members be out"
            yield _error("service-limit", where, message, "Lower max_out below the members.")
    for jump, most in plan.jump_limits:
        if most < 1:
            message = f"the limit of the jump host is {most}"
            yield _error("jump-limit", jump, message, "Set concurrency.per_jump to at least 1.")


def _kept_up(limit: ServiceLimit) -> Iterator[Problem]:
    """The quorum holds when as many are out as may be, and no host has to be apart from itself."""
    where = f"service {limit.service}"
    if limit.quorum and len(limit.members) - max(limit.max_out, 0) < limit.quorum:
        message = (
            f"max_out {limit.max_out} of {len(limit.members)} members leaves fewer than the "
            f"quorum of {limit.quorum}"
        )
        yield _error("service-quorum", where, message, "Lower the quorum, or add members.")
    groups = limit.apart or ()
    for host, times in Counter(host for group in groups for host in group.members).items():
        if times > 1 or host not in limit.members:
            labels = ", ".join(group.label for group in groups if host in group.members)
            message = f"{host} is no member" if times == 1 else f"{host} has the labels {labels}"
            remedy = "Give each host one label of the service's anti_affinity."
            yield _error("anti-affinity", where, message, remedy)


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
            yield _error("package-set", host.host, message, _REPLAN)
        if host.patch_set != patch_set:
            message = "the patch set's digest is not that of its changes"
            yield _error("patch-set", host.host, message, _REPLAN)
        if not host.changes and not host.controls:
            yield _error("no-changes", host.host, "nothing is to be changed", _REPLAN)
        if not host.checks:
            message = "has no health check: only the packages will be verified"
            remedy = "Add one to the policy's checks, or allow propose_checks."
            yield _warning("no-checks", host.host, message, remedy)
        for code, message in faults:
            yield _error(code, host.host, message, _REPLAN)
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
        yield _error("ledger-sum", host.host, message, _REPLAN)
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
        yield _error("ledger-changes", host.host, message, _REPLAN)


def _controls(host: HostPlan) -> Iterator[Problem]:
    """Controls that may reach a host, and that contradict neither each other nor the checks."""
    where = host.host
    for control in host.controls:
        if problem := fault(control):
            message = f"control {control.id!r:.60} is not valid: {problem}"
            yield _error("bad-control", where, message, "Correct its file, and plan again.")
    for what, names in (
        ("id", [control.id for control in host.controls]),
        ("target", [" ".join(control.target) for control in host.controls]),
    ):
        for name, times in Counter(names).items():
            if times > 1:
                message = f"{times} controls have the {what} {name}"
                yield _error("control-conflict", where, message, "Leave one of them out.")
    masked = masked_units(host.controls)
    for check in host.checks:
        if check.kind is HealthCheckKind.UNIT and check.target in masked:
            message = f"a control masks {check.target}, and a health check wants it to run"
            yield _error("masked-check", where, message, "Leave out the control or the check.")


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
            yield _error("hooks", host.host, message, "Correct the policy's hooks, and plan again.")


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
            yield _error("bad-backup", host.host, message, remedy)


def _reboots(plan: Plan) -> Iterator[Problem]:
    """A host that is rebooted has time to come back."""
    for host in plan.hosts:
        if host.reboot_budget_s is not UNSET and host.reboot_budget_s <= 0:
            message = "has no time to come back from a reboot"
            yield _error("reboot-budget", host.host, message, _REPLAN)


def _held_back(plan: Plan) -> Iterator[Problem]:
    """Nothing that failed a rehearsal or hurt a host is deployed again."""
    reasons = {(entry.source, entry.version): entry.reason for entry in plan.held_back}
    if not reasons:
        return
    for host in plan.hosts:
        for source, version in sorted({(c.source, c.source_version) for c in host.changes}):
            if (source, version) in reasons:
                message = f"{source} {version} is held back: {reasons[source, version]}"
                yield _error("held-back", host.host, message, _REPLAN)


def _times(plan: Plan) -> Iterator[Problem]:
    """Each host has its times, a window that admits it, and, it is hoped, no deadline missed."""
    if not plan.timetable:
        return
    slots = plan.timetable.by_host
    planned = {host.host for host in plan.hosts}
    for host in sorted(planned ^ slots.keys()):
        yield _error("host-times", host, "is planned or has times, and not both", _REPLAN)
    late: dict[tuple[str, date | None], list[Slot]] = {}
    for slot in plan.timetable.hosts:
        if slot.takes_s <= 0 or slot.reserve_s <= 0:
            message = "has no time to keep for the way there and back"
            yield _error("host-reserve", slot.host, message, _REPLAN)
        try:
            windows, freezes = plan.timetable.rules(slot.windows, slot.freezes)
        except KeyError as name:
            message = f"is to keep to {name}, which the plan does not have"
            yield _error("unknown-window", slot.host, message, _REPLAN)
            continue
        if next_fit(windows, freezes, plan.created_at, slot.needs_s) is None:
            message = f"no window admits the {slot.needs_s / 60:.0f} min that it needs"
            yield _error("no-window", slot.host, message, "Make one of its windows longer.")
        if slot.late:
            late.setdefault((slot.late, slot.due), []).append(slot)
    for (cve, due), hosts in late.items():
        names = ", ".join(slot.host for slot in hosts[:3])
        more = f" and {len(hosts) - 3} more" if len(hosts) > 3 else ""
        first = min(slot.expected_at for slot in hosts if slot.expected_at is not None)
        message = (
            f"{cve} is due {due}, and no window closes it in time on {names}{more}: "
            f"not before {first:%Y-%m-%d %H:%M} UTC"
        )
        remedy = "Add a window, enable the emergency lane, or move the hosts to an earlier ring."
        yield _warning("deadline-missed", hosts[0].host, message, remedy)


def _name(wave: Wave) -> str:
    return f"wave {wave.index} ({wave.ring})"


_RULES: tuple[Callable[[Plan], Iterator[Problem]], ...] = (
    _hosts_and_waves,
    _waves,
    _blast_radius,
    _gates,
    _limits,
    _host_plans,
    _backups,
    _hooks,
    _reboots,
    _held_back,
    _times,
)
