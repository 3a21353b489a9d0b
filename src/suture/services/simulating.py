"""The real planner and the real progress against a pretend fleet, in virtual time.

Each week updates come out, what is open is planned anew, and the plan is rolled out until the
week is over. How long hosts take and which fail is drawn from the seed; a pretend person accepts
what failed and lets waves start some hours after being asked. Nothing is slept for or stored.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from pathlib import Path
from random import Random

from msgspec import UNSET, field
from msgspec.structs import replace

from suture.core.assessment.findings import Finding
from suture.core.documents import Document
from suture.core.inventory import Host
from suture.core.planning.lint import has_errors, lint
from suture.core.planning.plan import Plan
from suture.core.planning.planner import make_plan
from suture.core.policy import Policy
from suture.core.rollout import signals, transitions
from suture.core.rollout.limits import Elsewhere
from suture.core.rollout.progress import next_actions
from suture.core.rollout.state import ActionKind, HostPhase, NextAction, RolloutStatus, Signal
from suture.core.selection.ledger import Selection
from suture.services import fleet as enrolled_fleet
from suture.services import policies, pretend_fleet
from suture.services.errors import ServiceError
from suture.services.pretend_fleet import Publication
from suture.services.workspace import Workspace

MOST_HOSTS, MOST_WEEKS = 200_000, 520
FIRST_YEAR, LAST_YEAR = 2000, 2100

_WEEK = timedelta(weeks=1)
_ANSWER = timedelta(hours=4)  # until a person says something
_BEAT = timedelta(minutes=15)  # ends are noticed together
_SKIPPED, _FAILED, _LOST = 0.003, 0.005, 0.0002  # of the hosts that are started
_WAY_BACK_FAILED = 0.02
_NOTHING = pretend_fleet.pending(())


class Day(Document, frozen=True):
    """One day, in UTC: hosts that ended in each phase (``windows``: of the patched, by their
    windows), and at its end the hosts that wait and those with a finding that is overdue."""

    day: date
    ended: Mapping[str, int] = field(default_factory=dict)
    windows: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0
    overdue: int = 0


class Week(Document, frozen=True):
    """A plan of one week: the hosts that it takes and leaves out for another reason than that
    nothing is to be done, those that lint warned would miss a deadline, and the pauses."""

    begins: date
    planned: int
    left_out: int
    late: int
    pauses: int


class Calendar(Document, frozen=True):
    hosts: int
    seed: int
    policy: str
    weeks: tuple[Week, ...]
    days: tuple[Day, ...]


def simulate(
    workspace: Workspace,
    *,
    hosts: int | None,
    weeks: int,
    seed: int,
    begins: date,
    policy_file: Path | None = None,
) -> Calendar:
    """``hosts`` pretend ones, or as many as are enrolled, by their labels and services. Raises
    :class:`ServiceError` for counts and days out of bounds, and a policy whose plan does not pass
    lint."""
    if not (1 <= weeks <= MOST_WEEKS and 1 <= (1 if hosts is None else hosts) <= MOST_HOSTS):
        raise ServiceError(
            "too little or too much to simulate",
            f"From 1 to {MOST_HOSTS:,} hosts and {MOST_WEEKS} weeks.",
        )
    if not FIRST_YEAR <= begins.year <= LAST_YEAR:
        raise ServiceError(
            f"{begins} is too long ago or too far off to simulate",
            f"Begin in one of the years {FIRST_YEAR} to {LAST_YEAR}.",
        )
    policy, source = policies.load(workspace, policy_file)
    draw = Random(seed)  # noqa: S311
    those = (
        pretend_fleet.fleet(hosts, draw) if hosts is not None else enrolled_fleet.chosen(workspace)
    )
    simulation = Simulation(those, policy, draw, begins)
    for _ in range(weeks):
        simulation.week()
    return Calendar(len(those), seed, source, tuple(simulation.weeks), simulation.days())


class Simulation:
    """The fleet as it stands; :meth:`week` goes on by one."""

    def __init__(self, hosts: Sequence[Host], policy: Policy, draw: Random, begins: date) -> None:
        self.hosts = hosts
        self.policy = policy
        self.draw = draw
        self.now = datetime.combine(begins, time(8), UTC)
        self.kinds = pretend_fleet.kinds(len(hosts))
        self.kind_of = {host.name: at % len(self.kinds) for at, host in enumerate(hosts)}
        self.published: list[list[Publication]] = [[] for _ in self.kinds]
        self.has = dict.fromkeys(self.kind_of, 0)  # publications that each host has
        self.weeks: list[Week] = []
        self.ended: dict[date, Counter[str]] = defaultdict(Counter)
        self.by_window: dict[date, Counter[str]] = defaultdict(Counter)
        self.at_end: dict[date, tuple[int, int]] = {}

    def days(self) -> tuple[Day, ...]:
        return tuple(
            Day(day, dict(self.ended[day]), dict(self.by_window[day]), *self.at_end[day])
            for day in sorted(self.at_end)
        )

    def week(self) -> None:
        """Updates come out, are planned, and are rolled out until the week is over."""
        begins = self.now
        for kind, published in enumerate(self.published):
            fresh = pretend_fleet.publish(kind, begins.date(), self.policy, self.draw)
            if fresh is not None:
                published.append(fresh)
        plan = self._plan()
        problems = lint(plan)
        if has_errors(problems):
            raise ServiceError(
                f"the plan of {begins.date()} does not pass lint: {problems[0].message}",
                problems[0].remedy,
            )
        rollout = _Rollout(self, plan)
        rollout.run(begins + _WEEK)
        late = sum(bool(slot.late) for slot in plan.timetable.hosts) if plan.timetable else 0
        out = sum(not one.reason.startswith("nothing to do") for one in plan.left_out)
        week = Week(begins.date(), len(plan.hosts), out, late, rollout.pauses)
        self.weeks.append(week)
        self.now = begins + _WEEK

    def _plan(self) -> Plan:
        kinds = [pretend_fleet.seen(kind, self.now) for kind in self.kinds]
        levels: dict[tuple[int, int], tuple[Selection, tuple[Finding, ...]]] = {}
        selections: dict[str, Selection] = {}
        findings: dict[str, tuple[Finding, ...]] = {}
        for name, kind in self.kind_of.items():
            level = kind, self.has[name]
            if level not in levels:
                rest = self.published[kind][self.has[name] :]
                found = tuple(finding for one in rest for finding in one.findings)
                levels[level] = (pretend_fleet.pending(rest) if rest else _NOTHING, found)
            selections[name], findings[name] = levels[level]
        return make_plan(
            hosts=self.hosts,
            inventories={name: kinds[kind] for name, kind in self.kind_of.items()},
            selections=selections,
            findings=findings,
            policy=self.policy,
            now=self.now,
        )

    def due(self) -> dict[str, date]:
        """The first deadline of each host that lacks something."""
        firsts: dict[tuple[int, int], date | None] = {}
        due: dict[str, date] = {}
        for name, kind in self.kind_of.items():
            level = kind, self.has[name]
            if level not in firsts:
                rest = self.published[kind][self.has[name] :]
                days = [f.due for one in rest for f in one.findings if f.due is not None]
                firsts[level] = min(days, default=None)
            if first := firsts[level]:
                due[name] = first
        return due


class _Rollout:
    """One plan in virtual time."""

    def __init__(self, fleet: Simulation, plan: Plan) -> None:
        self.fleet = fleet
        self.plan = replace(plan, predownload_s=UNSET)  # takes no time of a window
        self.state = transitions.start(plan, "simulated")
        self.now = fleet.now
        self.pauses = 0
        self.elsewhere = Elsewhere()
        self.due = fleet.due()
        self.day = self.now.date()
        self._roles = tuple(fleet.policy.approvals.roles)
        self._ends: dict[datetime, list[transitions.Move]] = {}
        self._order: list[datetime] = []

    def run(self, until: datetime) -> None:
        """To ``until``, and on to the end of what is at work then, which nothing interrupts."""
        answer: datetime | None = None
        while self.now < until:
            waits = self._act()
            if answer is None and not self._order and all(one.until is None for one in waits):
                answer = self.now + _ANSWER
            over = self.state.status is RolloutStatus.DONE
            times = [one.until for one in waits if one.until is not None]
            times += self._order[:1] + ([answer] if answer and not over else [])
            self._go_to(min([until, *times]))
            if answer is not None and self.now >= answer:
                self._answer()
                answer = None
        while self._order:
            self._end(heapq.heappop(self._order))

    def _act(self) -> tuple[NextAction, ...]:
        """Do what is to be done now; what is waited for."""
        while True:
            actions = next_actions(self.plan, self.state, self.now, self.elsewhere)
            moves = [one for one in actions if one.kind is not ActionKind.WAIT]
            if not moves:
                return actions
            self.state = transitions.carried_out(self.state, moves, self.now)
            for move in moves:
                if move.host:
                    self._send(move)
            self.pauses += sum(move.kind is ActionKind.PAUSE for move in moves)
            if self.plan.starts_per_minute:
                self.elsewhere = self.elsewhere.after(moves, self.now)
            elif moves[-1].host:
                return ()

    def _send(self, move: NextAction) -> None:
        """Draw how long it takes and how it ends."""
        draw = self.fleet.draw
        host = self.plan.by_host[move.host]
        if move.kind is ActionKind.ROLL_BACK_HOST:
            failed = draw.random() < _WAY_BACK_FAILED
            phase = HostPhase.ROLLBACK_FAILED if failed else HostPhase.ROLLED_BACK
        else:
            phase = _drawn_end(draw.random())
        seconds = (host.estimated_s + 45) * draw.lognormvariate(0, 0.3)
        seconds += draw.uniform(60, 300) if host.reboot_expected else 0
        self._later(self.now + timedelta(seconds=seconds), (move.host, phase, "drawn"))

    def _later(self, at: datetime, move: transitions.Move) -> None:
        beat = self.fleet.now + _BEAT * -(-(at - self.fleet.now) // _BEAT)
        if beat not in self._ends:
            self._ends[beat] = []
            heapq.heappush(self._order, beat)
        self._ends[beat].append(move)

    def _go_to(self, at: datetime) -> None:
        while self.day < at.date():
            self._end_day()
        self.now = at
        while self._order and self._order[0] <= at:
            self._end(heapq.heappop(self._order))

    def _end(self, beat: datetime) -> None:
        moves = self._ends.pop(beat)
        self.state = transitions.hosts_finished(self.state, moves, beat)
        ended, windows = self.fleet.ended[beat.date()], self.fleet.by_window[beat.date()]
        for host, phase, _ in moves:
            ended[phase.value] += 1
            if phase is HostPhase.DONE:
                kind = self.fleet.kind_of[host]
                self.fleet.has[host] = len(self.fleet.published[kind])
                self.due.pop(host, None)
                slot = self.plan.slot(host)
                windows[", ".join(slot.windows) if slot and slot.windows else "any time"] += 1

    def _end_day(self) -> None:
        waiting = sum(host.phase.is_to_come for host in self.state.hosts)
        overdue = sum(due < self.day for due in self.due.values())
        self.fleet.at_end[self.day] = (waiting, overdue)
        self.day += timedelta(days=1)

    def _answer(self) -> None:
        """A person accepts what failed, or as many as are needed let the next wave start."""
        with suppress(transitions.RefusedError):
            self.state = signals.apply_signal(self.plan, self.state, Signal.RESUME, self.now)
        for number in count():
            try:
                self.state = signals.approve(
                    self.plan, self.state, self.now, by=f"person-{number}", roles=self._roles
                )
            except transitions.RefusedError:
                break


def _drawn_end(number: float) -> HostPhase:
    for phase, share in (
        (HostPhase.SKIPPED, _SKIPPED),
        (HostPhase.FAILED, _FAILED),
        (HostPhase.LOST, _LOST),
    ):
        if number < share:
            return phase
        number -= share
    return HostPhase.DONE
