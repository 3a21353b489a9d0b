"""Which windows are for which host, when it is expected to start, and which deadline that misses.

The forecast is hopeful: nothing fails, nobody is waited for, and hosts of one group of windows
find places at work whatever other groups do. What misses its deadline even so, no window meets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from heapq import heapreplace

from msgspec.structs import replace

from suture.core.assessment.findings import Finding
from suture.core.durations import Durations
from suture.core.host_patterns import HostGroups
from suture.core.inventory import Host
from suture.core.planning.plan import HostPlan, LeftOut, Slot, Timetable, Wave
from suture.core.planning.scheduling import Urgency
from suture.core.planning.windows import Span, next_fit
from suture.core.policy import Policy


def is_timed(policy: Policy) -> bool:
    """Whether the policy says anything about time."""
    return bool(policy.windows or policy.freezes or policy.emergency.enabled)


def urgencies(
    planned: Sequence[HostPlan], findings: Mapping[str, Sequence[Finding]]
) -> dict[str, Urgency]:
    """By host: how urgent what the plan closes there is. ``findings`` are by host."""
    known: dict[tuple[int, int], Urgency] = {}
    urgent = {}
    for host in planned:
        some = findings.get(host.host, ())
        key = id(host.closes), id(some)
        if key not in known:
            known[key] = _urgency(host, some)
        urgent[host.host] = known[key]
    return urgent


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
    rules = _Rules(policy)
    first: dict[tuple[object, ...], Span | None] = {}
    for host_plan in planned:
        host, urgent = enrolled[host_plan.host], urgency[host_plan.host]
        exploited = urgent.exploited and policy.emergency.enabled
        windows, freezes = rules.of(host, exploited)
        takes, reserve = (round(seconds, 1) for seconds in durations.of(host_plan))
        key = windows, freezes, takes + reserve
        if key not in first:
            first[key] = next_fit(*table.rules(windows, freezes), now, takes + reserve)
        span = first[key]
        if span is None:
            out.append(LeftOut(host.name, _never(windows, takes, reserve, urgent)))
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
        groups: dict[tuple[tuple[str, ...], tuple[str, ...]], _Places] = {}
        for name in wave.hosts:
            slot = slots[name]
            key = slot.windows, slot.freezes
            if key not in groups:
                groups[key] = _Places([ready] * wave.parallel)
            free = groups[key].free
            span = groups[key].span(table, slot)
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


class _Places:
    """Places at work of the hosts that keep to the same windows and freezes, by when each is free.
    The first of them is never free earlier than it was, so a span that still admits a host is the
    first to do so as long as it is for the same time that is needed."""

    def __init__(self, free: list[datetime]) -> None:
        self.free = free
        self._spans: dict[float, Span | None] = {}

    def span(self, table: Timetable, slot: Slot) -> Span | None:
        """The first that admits the host on the place that is free first."""
        needs, at = slot.needs_s, self.free[0]
        span = self._spans.get(needs)
        if span is None or not span.admits(max(at, span.opens), needs):
            rules = table.rules(slot.windows, slot.freezes)
            span = self._spans[needs] = next_fit(*rules, at, needs)
        return span


def _urgency(host: HostPlan, findings: Sequence[Finding]) -> Urgency:
    closes = frozenset(host.closes)
    closed = [finding for finding in findings if finding.cve in closes]
    due = min(((f.due, f.cve) for f in closed if f.due is not None), default=(None, ""))
    return Urgency(any(finding.kev for finding in closed), *due)


class _Rules:
    """The names of the windows and freezes that are for a host."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        windows, freezes = policy.windows, policy.freezes
        self._groups = HostGroups(
            [*(one.hosts for one in windows), *(one.hosts for one in freezes)]
        )
        self._known: dict[tuple[tuple[int, ...], bool], _Names] = {}

    def of(self, host: Host, exploited: bool) -> _Names:
        key = self._groups.of(host), exploited
        if key not in self._known:
            self._known[key] = self._names(*key)
        return self._known[key]

    def _names(self, named: tuple[int, ...], exploited: bool) -> _Names:
        """``named`` are the places of the windows and then of the freezes that name the host."""
        windows, emergency = self._policy.windows, self._policy.emergency
        own = tuple(windows[at].name for at in named if at < len(windows))
        freezes = tuple(
            freeze.name
            for at, freeze in enumerate(self._policy.freezes, start=len(windows))
            if not freeze.hosts or at in named
        )
        if exploited and emergency.through_freezes:
            freezes = ()
        usual = own or tuple(window.name for window in windows if not window.hosts)
        if not exploited or not usual:
            return usual, freezes
        lane = tuple(window.name for window in emergency.windows)
        return ((*usual, *lane) if lane else ()), freezes


_Names = tuple[tuple[str, ...], tuple[str, ...]]


def _late(slot: Slot, start: datetime | None, cve: str, now: datetime) -> str:
    """The vulnerability that cannot be closed in time any more, though it is not overdue yet."""
    if slot.due is None or start is None or slot.due < now.date():
        return ""
    limit = datetime.combine(slot.due + timedelta(days=1), time(), UTC)
    return cve if start + timedelta(seconds=slot.takes_s) > limit else ""


def _never(windows: tuple[str, ...], takes_s: float, reserve_s: float, urgent: Urgency) -> str:
    where = ", ".join(windows) or "any time outside of the freezes"
    due = f"; {urgent.cve} is due there {urgent.due}" if urgent.due else ""
    return (
        f"no window admits it in the next year ({where}): it needs "
        f"{(takes_s + reserve_s) / 60:.0f} min, {reserve_s / 60:.0f} of them for the way back; "
        f"make one longer{due}"
    )
