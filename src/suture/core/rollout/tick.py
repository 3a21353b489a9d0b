"""One look at a rollout: who is at work, out, failed or away, and what room there is left.

It is made anew for each answer, and the places are taken as actions are given.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from suture.core.planning.plan import OnFailure, Plan, Wave
from suture.core.planning.windows import Span, next_fit
from suture.core.rollout.closing import due_again
from suture.core.rollout.holding import bringing, contained
from suture.core.rollout.limits import Elsewhere, Pace, Room
from suture.core.rollout.state import (
    ActionKind,
    HostPhase,
    HostState,
    NextAction,
    RolloutState,
)


def current_wave(plan: Plan, state: RolloutState) -> Wave | None:
    """The first wave that is not closed, None when all are."""
    closed = {wave.index for wave in state.closed}
    return next((wave for wave in plan.waves if wave.index not in closed), None)


class Tick:
    """The plan is indexed once; ``room`` is taken as actions are given."""

    def __init__(
        self, plan: Plan, state: RolloutState, now: datetime, elsewhere: Elsewhere | None = None
    ) -> None:
        self.plan = plan
        self.elsewhere = elsewhere or Elsewhere()
        self.state = state
        self.now = now
        self.by_name = {host.host: host for host in state.hosts}
        self.tolerated = frozenset(state.tolerated)
        self.wave = current_wave(plan, state)
        # Of many hosts few are anything else than waiting or well, and only these are looked at.
        quiet = (HostPhase.WAITING, HostPhase.DONE, HostPhase.SKIPPED)
        busy = [host for host in state.hosts if host.phase not in quiet]
        self.at_work = [host.host for host in busy if host.phase.is_at_work]
        self.fetching = [host.host for host in busy if host.phase is HostPhase.FETCHING]
        self.to_take_back = [
            host.host
            for host in busy
            if host.phase is HostPhase.FAILED and self._takes_back(host.host)
        ]
        asked = {one.host for one in state.asked}
        self.to_undo = [
            name
            for wave in plan.waves
            if wave.index in state.taking_back
            for name in wave.hosts
            if self.by_name[name].phase is HostPhase.DONE and name not in asked
        ]
        self.no_room: dict[str, str] = {}
        self.failed: list[list[HostState]] = [[] for _ in plan.waves]
        for host in busy:
            if host.phase.is_failure and host.host not in self.tolerated:
                self.failed[plan.wave_of[host.host]].append(host)
        self.contained = contained(plan, (host for wave in self.failed for host in wave))
        self.held = bringing(plan, state.held_back)
        self.away = due_again(plan, state, self.held)
        self._spans: dict[tuple[object, ...], Span | None] = {}
        self.pace = Pace(plan, self.elsewhere.started, now)
        parallel = self.wave.parallel if self.wave else 0
        self.room = Room(plan, parallel, self.elsewhere, self.pace, self.fetching)
        for host in busy:
            if host.phase.is_out:
                self.room.take(host.host, at_work=host.phase.is_at_work)

    def _takes_back(self, host: str) -> bool:
        wave = self.plan.waves[self.plan.wave_of[host]]
        return self.plan.on_failure(wave) is not OnFailure.PAUSE

    def one_by_one(self, wave: Wave) -> datetime:
        """From when on a host of the wave may start: so long after the last began or ended."""
        if not wave.wait_s:
            return self.now
        begun = (self.by_name[host] for host in wave.hosts)
        changed = (host.since for host in begun if not host.phase.is_to_come)
        last = max((since for since in changed if since is not None), default=None)
        return last + timedelta(seconds=wave.wait_s) if last else self.now

    def window(self, host: str) -> Span | None:
        """The span in which the host may start next, None where there is none for a year."""
        slot = self.plan.slot(host)
        if slot is None or not self.plan.timetable:
            return Span("", self.now, None)
        key = slot.windows, slot.freezes, slot.needs_s
        if key not in self._spans:
            rules = self.plan.timetable.rules(slot.windows, slot.freezes)
            self._spans[key] = next_fit(*rules, self.now, slot.needs_s)
        return self._spans[key]


def wait(reason: str, wave: int | None = None, until: datetime | None = None) -> NextAction:
    return NextAction(ActionKind.WAIT, reason, wave=wave, until=until)
