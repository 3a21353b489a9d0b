"""Rules about the order of a plan: waves, services, windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date

from msgspec import UNSET

from suture.core.planning.lint.problems import REPLAN, Problem, error, warning
from suture.core.planning.plan import Plan, ServiceLimit, Slot, Wave
from suture.core.planning.windows import next_fit

_WEEK_S = 7 * 86_400


def _hosts_and_waves(plan: Plan) -> Iterator[Problem]:
    """Each planned host is in exactly one wave, and a wave has planned hosts alone."""
    planned = Counter(host.host for host in plan.hosts)
    placed = Counter(host for wave in plan.waves for host in wave.hosts)
    for host, times in planned.items():
        if times > 1:
            yield error("duplicate-host", host, f"planned {times} times", REPLAN)
        if placed[host] != 1:
            yield error("host-waves", host, f"is in {placed[host]} waves, not in one", REPLAN)
    for host in placed.keys() - planned.keys():
        yield error("unplanned-host", host, "is in a wave and not planned", REPLAN)
    for entry in plan.left_out:
        if entry.host in planned:
            yield error("left-out-host", entry.host, "is planned and left out", REPLAN)
    rings = {host: wave.ring for wave in plan.waves for host in wave.hosts}
    for planned_host in plan.hosts:
        if rings.get(planned_host.host, planned_host.ring) != planned_host.ring:
            message = f"is of ring {planned_host.ring} and in a wave of another"
            yield error("host-ring", planned_host.host, message, REPLAN)


def _waves(plan: Plan) -> Iterator[Problem]:
    """Numbers that a wave can be run with, and soaks where they matter."""
    repeated = [index for index, n in Counter(w.index for w in plan.waves).items() if n > 1]
    for index in repeated:
        yield error("wave-index", f"wave {index + 1}", "the number is there twice", REPLAN)
    for wave in plan.waves:
        if wave.parallel < 1 or wave.max_failures < 0 or wave.soak_s < 0:
            message = "parallel below 1, or a negative soak or failure limit"
            yield error("wave-limits", _name(wave), message, REPLAN)
        if wave.wait_s is not UNSET and not 0 < wave.wait_s <= _WEEK_S:
            message = f"waits {wave.wait_s:g} s between two hosts"
            yield error("wave-limits", _name(wave), message, REPLAN)
        if wave.min_verified is not UNSET and not 1 <= wave.min_verified <= 100:
            message = f"is to have {wave.min_verified} % of its hosts verified"
            yield error("wave-limits", _name(wave), message, REPLAN)
        if not wave.hosts:
            yield warning("empty-wave", _name(wave), "has no hosts", REPLAN)
        elif wave.max_failures >= len(wave.hosts):
            message = f"may lose all of its {len(wave.hosts)} hosts (max_failures)"
            yield warning("failure-limit", _name(wave), message, "Lower the ring's max_failures.")
    for wave in plan.waves[:-1]:
        if wave.soak_s == 0:
            message = "the next wave starts at once after it"
            yield warning("no-soak", _name(wave), message, "Give the ring a soak, such as 10m.")


def _blast_radius(plan: Plan) -> Iterator[Problem]:
    """The first wave is small, and never the whole of a service."""
    total = sum(len(wave.hosts) for wave in plan.waves)
    if not plan.waves or total < 2:
        return
    first = plan.waves[0]
    if len(plan.waves) == 1:
        message = f"all {total} hosts are in one wave"
        yield warning("one-wave", _name(first), message, "Give the policy more than one ring.")
    elif len(first.hosts) > max(1, total // 4):
        message = f"the first wave has {len(first.hosts)} of {total} hosts, more than a quarter"
        yield warning("blast-radius", _name(first), message, "Make the first ring smaller.")
    inside = set(first.hosts)
    for limit in plan.services:
        if len(limit.members) > 1 and inside.issuperset(limit.members):
            message = f"the first wave holds all of service {limit.service}"
            remedy = "Put its members in different rings."
            yield warning("whole-service", _name(first), message, remedy)


def _gates(plan: Plan) -> Iterator[Problem]:
    """Gates that can be asked, and that have something to compare with."""
    for at, wave in enumerate(plan.waves):
        if not wave.gate:
            continue
        if not 1 <= wave.gate.every_s <= 86_400:
            message = f"is to be looked at every {wave.gate.every_s:g} s"
            yield error("gate", _name(wave), message, "Correct the policy's gates, and plan again.")
        later = sum(len(one.hosts) for one in plan.waves[at + 1 :])
        if wave.gate.canary and later < 2:
            message = f"has {later} hosts of later waves to be compared with, and it takes two"
            remedy = "Its gate will pause the rollout. Put more hosts into later rings."
            yield warning("gate-controls", _name(wave), message, remedy)


def _limits(plan: Plan) -> Iterator[Problem]:
    """Limits that can be kept, and that keep something up."""
    counted = {limit.service: frozenset(limit.members) for limit in plan.services}
    jumps = dict(plan.jump_limits)
    for host in plan.hosts:
        if host.service is not None and host.host not in counted.get(host.service, ()):
            message = f"its service {host.service} has no limit that counts it"
            yield error("service-unlimited", host.host, message, REPLAN)
        if host.jump is not None and host.jump not in jumps:
            message = f"its jump host {host.jump} has no limit"
            yield error("jump-unlimited", host.host, message, REPLAN)
    for limit in plan.services:
        where = f"service {limit.service}"
        yield from _kept_up(limit)
        if limit.max_out < 1:
            message = f"max_out is {limit.max_out}: none of its hosts could ever be patched"
            remedy = "Set max_out to at least 1, and quorum below the number of members."
            yield error("service-limit", where, message, remedy)
        elif len(limit.members) == 1:
            message = "has one member: patching it takes the service down"
            yield warning("single-member", where, message, "Add a member, or accept the outage.")
        elif limit.max_out >= len(limit.members):
            message = f"max_out {limit.max_out} lets all {len(limit.members)} members be out"
            yield error("service-limit", where, message, "Lower max_out below the members.")
    for jump, most in plan.jump_limits:
        if most < 1:
            message = f"the limit of the jump host is {most}"
            yield error("jump-limit", jump, message, "Set concurrency.per_jump to at least 1.")
    if plan.starts_per_minute is not UNSET and plan.starts_per_minute < 1:
        message = f"{plan.starts_per_minute} hosts may be started in a minute"
        remedy = "Set concurrency.starts_per_minute to at least 1, or leave it out."
        yield error("start-rate", "concurrency", message, remedy)


def _kept_up(limit: ServiceLimit) -> Iterator[Problem]:
    """The quorum holds when as many are out as may be, and no host has to be apart from itself."""
    where = f"service {limit.service}"
    if limit.quorum and len(limit.members) - max(limit.max_out, 0) < limit.quorum:
        message = (
            f"max_out {limit.max_out} of {len(limit.members)} members leaves fewer than the "
            f"quorum of {limit.quorum}"
        )
        yield error("service-quorum", where, message, "Lower the quorum, or add members.")
    groups = limit.apart or ()
    for host, times in Counter(host for group in groups for host in group.members).items():
        if times > 1 or host not in limit.members:
            labels = ", ".join(group.label for group in groups if host in group.members)
            message = f"{host} is no member" if times == 1 else f"{host} has the labels {labels}"
            remedy = "Give each host one label of the service's anti_affinity."
            yield error("anti-affinity", where, message, remedy)


def _times(plan: Plan) -> Iterator[Problem]:
    """Each host has its times, a window that admits it, and, it is hoped, no deadline missed."""
    if not plan.timetable:
        return
    slots = plan.timetable.by_host
    planned = {host.host for host in plan.hosts}
    for host in sorted(planned ^ slots.keys()):
        yield error("host-times", host, "is planned or has times, and not both", REPLAN)
    late: dict[tuple[str, date | None], list[Slot]] = {}
    for slot in plan.timetable.hosts:
        if slot.takes_s <= 0 or slot.reserve_s <= 0:
            message = "has no time to keep for the way there and back"
            yield error("host-reserve", slot.host, message, REPLAN)
        try:
            windows, freezes = plan.timetable.rules(slot.windows, slot.freezes)
        except KeyError as name:
            message = f"is to keep to {name}, which the plan does not have"
            yield error("unknown-window", slot.host, message, REPLAN)
            continue
        if next_fit(windows, freezes, plan.created_at, slot.needs_s) is None:
            message = f"no window admits the {slot.needs_s / 60:.0f} min that it needs"
            yield error("no-window", slot.host, message, "Make one of its windows longer.")
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
        remedy = (
            "Add a window, shorten a freeze, let the emergency lane through it, or move the hosts "
            "to an earlier ring."
        )
        yield warning("deadline-missed", hosts[0].host, message, remedy)


def _name(wave: Wave) -> str:
    """As everywhere that people see it, counted from 1."""
    return f"wave {wave.index + 1} ({wave.ring})"


RULES = (_hosts_and_waves, _waves, _blast_radius, _gates, _limits, _times)
