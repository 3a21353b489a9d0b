"""Which windows are for which host, when it is expected to start, and which deadline that misses.

The forecast is hopeful: nothing fails, nobody is waited for, and hosts of one group of windows
find places at work whatever other groups do. What misses its deadline even so, no window meets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from heapq import heapreplace

from msgspec.structs import replace

from suture.core.assessment.findings import Finding
from suture.core.durations import Durations
from suture.core.inventory import Host
from suture.core.planning.plan import HostPlan, LeftOut, Slot, Timetable, Wave
from suture.core.planning.scheduling import Urgency
from suture.core.planning.windows import Freeze, Window, next_fit
from suture.core.policy import Policy, matches


def is_timed(policy: Policy) -> bool:
    """Whether the policy says anything about time."""
    return bool(policy.windows or policy.freezes or policy.emergency.enabled)


def urgencies(
    planned: Iterable[HostPlan], findings: Mapping[str, Sequence[Finding]]
) -> dict[str, Urgency]:
    """By host: how urgent what the plan closes there is. ``findings`` are by host."""
    return {host.host: _urgency(host, findings.get(host.host, ())) for host in planned}


def timetable(
    planned: Sequence[HostPlan],
    hosts: Sequence[Host],
    urgency: Mapping[str, Urgency],
    policy: Policy,
    durations: Durations,
    now: datetime,
) -> tuple[Timetable, tuple[LeftOut, ...]]:
    """The times of each planned host, and those hosts that no window admits."""
    enrolled = {host.name: host for host in hosts}
    slots: list[Slot] = []
    out: list[LeftOut] = []
    table = Timetable((*policy.windows, *policy.emergency.windows), policy.freezes, ())
    for host_plan in planned:
        host, urgent = enrolled[host_plan.host], urgency[host_plan.host]
        exploited = urgent.exploited and policy.emergency.enabled
        windows, freezes = _rules(host, exploited, policy)
        takes, reserve = (round(seconds, 1) for seconds in durations.of(host_plan))
        span = next_fit(*table.rules(windows, freezes), now, takes + reserve)
        if span is None:
            out.append(LeftOut(host.name, _never(windows, takes, reserve)))
            continue
        slots.append(
            Slot(
                host=host.name,
                windows=windows,
                freezes=freezes,
                exploited=exploited,
                takes_s=takes,
                reserve_s=reserve,
                due=urgent.due,
                window=span.name,
                opens_at=span.opens,
                closes_at=span.closes,
            )
        )
    return replace(table, hosts=tuple(slots)), tuple(out)


def forecast(
    table: Timetable, waves: Sequence[Wave], urgency: Mapping[str, Urgency], now: datetime
) -> Timetable:
    """When each host is expected to start, at the earliest, and what that is too late for."""
    slots = table.by_host
    ready = now
    expected: dict[str, datetime] = {}
    for wave in waves:
        end = ready
        places: dict[tuple[tuple[str, ...], tuple[str, ...]], list[datetime]] = {}
        for name in wave.hosts:
            slot = slots[name]
            free = places.setdefault((slot.windows, slot.freezes), [ready] * wave.parallel)
            span = next_fit(*table.rules(slot.windows, slot.freezes), free[0], slot.needs_s)
            if span is None:
                continue
            expected[name] = max(free[0], span.opens)
            done = expected[name] + timedelta(seconds=slot.takes_s)
            heapreplace(free, done)
            end = max(end, done)
        ready = end + timedelta(seconds=wave.soak_s)
    return replace(
        table,
        hosts=tuple(
            replace(
                slot,
                expected_at=expected.get(slot.host),
                late=_late(slot, expected.get(slot.host), urgency[slot.host].cve, now),
            )
            for slot in table.hosts
        ),
    )


def _urgency(host: HostPlan, findings: Sequence[Finding]) -> Urgency:
    closes = frozenset(host.closes)
    closed = [finding for finding in findings if finding.cve in closes]
    due = min(((f.due, f.cve) for f in closed if f.due is not None), default=(None, ""))
    return Urgency(any(finding.kev for finding in closed), *due)


def _rules(host: Host, exploited: bool, policy: Policy) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the windows and freezes that are for the host."""
    freezes = tuple(freeze.name for freeze in policy.freezes if _is_for(freeze, host))
    if exploited and policy.emergency.through_freezes:
        freezes = ()
    own = tuple(window.name for window in policy.windows if window.hosts and _is_for(window, host))
    usual = own or tuple(window.name for window in policy.windows if not window.hosts)
    if not exploited or not usual:
        return usual, freezes
    emergency = tuple(window.name for window in policy.emergency.windows)
    return ((*usual, *emergency) if emergency else ()), freezes


def _is_for(one: Window | Freeze, host: Host) -> bool:
    return not one.hosts or any(matches(host, pattern) for pattern in one.hosts)


def _late(slot: Slot, start: datetime | None, cve: str, now: datetime) -> str:
    """The vulnerability that cannot be closed in time any more, though it is not overdue yet."""
    if slot.due is None or start is None or slot.due < now.date():
        return ""
    limit = datetime.combine(slot.due + timedelta(days=1), time(), UTC)
    return cve if start + timedelta(seconds=slot.takes_s) > limit else ""


def _never(windows: tuple[str, ...], takes_s: float, reserve_s: float) -> str:
    where = ", ".join(windows) or "any time outside of the freezes"
    return (
        f"no window admits it in the next year ({where}): it needs "
        f"{(takes_s + reserve_s) / 60:.0f} min, {reserve_s / 60:.0f} of them for the way back; "
        "make one longer"
    )
