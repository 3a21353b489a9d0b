"""The rollout's state machine: (plan, state, now) → what to do next, and why the rest waits.

Pure: the engine loads a state, asks :func:`next_actions`, and carries the answer out. Asking
twice with the same state gives the same answer, so a crash between the two costs nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from suture.core.evidence import Verdict
from suture.core.planning.plan import OnFailure, Plan, Wave
from suture.core.planning.windows import Span, next_fit
from suture.core.rollout import fetching
from suture.core.rollout.approvals import standing
from suture.core.rollout.closing import due_again, shown_too_little
from suture.core.rollout.gates import next_look, state_of
from suture.core.rollout.holding import bringing, contained, to_hold_back
from suture.core.rollout.limits import Elsewhere, Pace, Room
from suture.core.rollout.state import (
    ActionKind,
    HostPhase,
    HostState,
    NextAction,
    RolloutState,
    RolloutStatus,
)

_NO_WINDOW = "no window admits them within a year"
_WAIT = "between two hosts"  # no name of a window has a space
_GIVEN_UP = "well, and taken back with the others"


def current_wave(plan: Plan, state: RolloutState) -> Wave | None:
    """The first wave that is not closed, None when all are."""
    closed = {wave.index for wave in state.closed}
    return next((wave for wave in plan.waves if wave.index not in closed), None)


def failures(state: RolloutState) -> tuple[HostState, ...]:
    """The hosts that failed, taken back or not, in the order of the waves."""
    return tuple(host for host in state.hosts if host.phase.is_failure)


def next_actions(
    plan: Plan, state: RolloutState, now: datetime, elsewhere: Elsewhere | None = None
) -> tuple[NextAction, ...]:
    """What to do now. At least one action while the rollout is not done.

    Ways back come first and are given while paused and after an abort as well. A wave starts when
    the one before it is closed, its soak is over and its gate open, and, where asked, people
    approved. It closes
    when each of its hosts has come to an end and enough of them were verified (at least not more
    than half skipped): a wave that mostly did not happen has shown nothing. Where more fail than
    may, the rollout pauses, and the hosts patched so far are taken back as far as the wave says,
    within the limits of their services. A failure for which a package is suspected holds that
    package back instead, as far as the plan allows: hosts that were to get it are left out and the
    others go on. A host starts only where one of its windows is open for as long as it needs with
    its way back; what runs is never interrupted, and ways back wait for no window. Where there is
    nothing to do but to wait, hosts get their packages ahead of time, if the plan says so; they
    start when that has ended, whichever way. What other
    rollouts are at work on, ``elsewhere``, takes its places among the fleet's, the services' and
    the jump hosts', and what they started of late counts for the starts of a minute. After FINISH
    only ways back that a person asks for are left.
    """
    if state.status is RolloutStatus.DONE:
        return asked_back(plan, state, now, elsewhere)
    tick = Tick(plan, state, now, elsewhere)
    ways_back = (*tick.ways_back(), *tick.asked_back())
    if state.status is RolloutStatus.RUNNING:
        forward = tick.advance(bool(ways_back))
        if ways_back or any(action.kind is not ActionKind.WAIT for action in forward):
            return (*ways_back, *forward)
        return (*tick.fetches(), *forward)
    if state.status is RolloutStatus.PAUSED:
        return (*ways_back, *tick.holds(), _wait(f"paused: {state.reason}{tick.left_patched}"))
    going = any(action.kind is ActionKind.ROLL_BACK_HOST for action in ways_back)
    if tick.at_work or tick.fetching or tick.to_take_back or going:
        return (*ways_back, _wait("aborted; waiting for the hosts at work"))
    return (NextAction(ActionKind.FINISH, f"aborted: {state.reason}{tick.left_patched}"),)


def asked_back(
    plan: Plan, state: RolloutState, now: datetime, elsewhere: Elsewhere | None = None
) -> tuple[NextAction, ...]:
    """What is left when a rollout is over: the ways back that a person asked for."""
    if not state.asked:
        return ()
    return Tick(plan, state, now, elsewhere).asked_back()


class Tick:
    """One look at the rollout. The plan is indexed once; places are taken as actions are given."""

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

    def ways_back(self) -> tuple[NextAction, ...]:
        """Those of failed hosts first, then those of patched ones that the rollout gives up."""
        actions = []
        for host in self.to_take_back:
            if not self.room.jump_refusal(host):
                self.room.go_to_work(host)
                reason = self.by_name[host].reason
                actions.append(NextAction(ActionKind.ROLL_BACK_HOST, reason, host=host))
        for host in self.to_undo:
            wave = self.plan.waves[self.plan.wave_of[host]]
            if why := self.room.way_back_refusal(host, wave.parallel, is_out=False):
                self.no_room[host] = why
            else:
                self.room.take(host, at_work=True)
                actions.append(NextAction(ActionKind.ROLL_BACK_HOST, _GIVEN_UP, host=host))
        return tuple(actions)

    def asked_back(self) -> tuple[NextAction, ...]:
        """The next of the hosts that a person asked back: one wave after the other, within the
        limits of each wave, the services and the jump hosts, and why the others wait."""
        asked = self.state.asked
        returning = [host for host in self.at_work if self._goes_back(host)]
        first = min(
            map(self.plan.wave_of.__getitem__, (*returning, *(a.host for a in asked))), default=0
        )
        parallel = self.plan.waves[first].parallel if asked else 0
        actions = []
        refused: dict[str, str] = {}
        for one in asked:
            is_out = self.by_name[one.host].phase.is_out
            if self.plan.wave_of[one.host] != first:
                refused[one.host] = f"{self.plan.waves[first].ring} goes back first"
            elif why := self.room.way_back_refusal(one.host, parallel, is_out=is_out):
                refused[one.host] = why
            else:
                if is_out:
                    self.room.go_to_work(one.host)
                else:
                    self.room.take(one.host, at_work=True)
                actions.append(NextAction(ActionKind.ROLL_BACK_HOST, one.reason, host=one.host))
        if refused:
            why = "; ".join(sorted(set(refused.values()))[:3])
            actions.append(_wait(f"{len(refused)} wait to go back: {why}"))
        return tuple(actions)

    def _goes_back(self, host: str) -> bool:
        return self.by_name[host].phase is HostPhase.ROLLING_BACK

    def holds(self) -> tuple[NextAction, ...]:
        """What failed on a host is held back, and the hosts that wait for it are left out."""
        fresh = to_hold_back(self.state, self.contained, self.by_name)
        actions = [
            NextAction(
                ActionKind.HOLD_BACK,
                f"{held.source} {held.version} is installed on no other host: {held.reason}",
                held=held,
            )
            for held in fresh
        ]
        for host, held in (self.held | bringing(self.plan, fresh)).items():
            if self.by_name[host].phase is HostPhase.WAITING:
                reason = f"{held.source} {held.version} is held back: {held.reason}"
                actions.append(NextAction(ActionKind.LEAVE_OUT, reason, host=host))
        return tuple(actions)

    @property
    def left_patched(self) -> str:
        """Why hosts that are to be taken back are not, in words; empty where none is."""
        if self.at_work or not self.no_room:
            return ""
        why = "; ".join(sorted(set(self.no_room.values()))[:3])
        return f"; {len(self.no_room)} are still patched for want of room ({why})"

    def advance(self, way_back_given: bool) -> tuple[NextAction, ...]:
        """The way forward of a running rollout."""
        if holds := self.holds():
            return holds
        trouble = self._trouble()
        if trouble:
            return (trouble,)
        if again := self._catch_ups():
            return again
        busy = bool(self.at_work or self.to_take_back)
        if self.wave is None:
            finish = NextAction(ActionKind.FINISH, "every wave is closed")
            return (_wait(f"{len(self.at_work)} at work") if busy else finish,)
        gate = self._gate(self.wave)
        if gate is not None:
            return (gate,)
        starts, refused, later = self._starts(self.wave)
        if starts:
            return starts
        if busy:
            why = "; ".join(sorted(set(refused.values()))[:3])
            return () if way_back_given else (_wait(why or f"{len(self.at_work)} at work"),)
        if later:
            return (self._wait_for_window(self.wave, later),)
        if self.fetching and (refused or not set(self.wave.hosts).isdisjoint(self.fetching)):
            return (_wait(f"{len(self.fetching)} still fetch their packages", self.wave.index),)
        if refused and self.elsewhere.is_busy:
            why = "; ".join(sorted(set(refused.values()))[:3])
            return (NextAction(ActionKind.WAIT, why, wave=self.wave.index, elsewhere=True),)
        return (self._stuck_or_done(self.wave, refused),)

    def stuck(self) -> dict[str, str]:
        """The hosts that wait for room which nothing at work will make, and why."""
        if self.wave is None or self.at_work or self.fetching or self.to_take_back:
            return {}
        if self._gate(self.wave):
            return {}
        starts, refused, later = self._starts(self.wave)
        return {} if starts or later else refused

    def _trouble(self) -> NextAction | None:
        """The PAUSE where the rollout has to stop, None where it need not."""
        for wave, hosts in zip(self.plan.waves, self.failed, strict=True):
            failed = [host for host in hosts if host.host not in self.contained]
            limit = 0 if self.plan.on_failure(wave) is OnFailure.PAUSE else wave.max_failures
            if len(failed) > limit:
                causes = "; ".join(f"{h.host} {h.phase}: {h.reason}" for h in failed[:3])
                return self._give_up(
                    wave, f"{len(failed)} failed in {wave.ring}, {limit} may: {causes}"
                )
            gate = state_of(self.state, wave) if wave.gate else None
            if gate is not None and gate.holds:
                problem = f"the gate of {wave.ring} is {gate.verdict}: {gate.reason}"
                if gate.verdict is Verdict.FAIL:
                    return self._give_up(wave, problem)
                return NextAction(ActionKind.PAUSE, problem, wave=wave.index)
            if wave is self.wave:
                break
        return None

    def _give_up(self, wave: Wave, reason: str) -> NextAction:
        """The PAUSE after what went wrong in the wave, with what is taken back for it."""
        take_back: tuple[int, ...] = (wave.index,)
        match self.plan.on_failure(wave):
            case OnFailure.ROLL_BACK_WAVE:
                what = f"the patched hosts of {wave.ring} are taken back"
            case OnFailure.ROLL_BACK_ALL:
                take_back = tuple(one.index for one in self.plan.waves)
                what = "all patched hosts are taken back"
            case _:
                return NextAction(ActionKind.PAUSE, reason, wave=wave.index)
        return NextAction(
            ActionKind.PAUSE, f"{reason}; {what}", wave=wave.index, take_back=take_back
        )

    def _gate(self, wave: Wave) -> NextAction | None:
        """The WAIT before the wave may start, None when it may."""
        position = self.plan.waves.index(wave)
        if position > 0:
            before = self.plan.waves[position - 1]
            closed_at = next(c.at for c in self.state.closed if c.index == before.index)
            until = closed_at + timedelta(seconds=before.soak_s)
            looks = self._looks_after(before)
            if looks is not None and looks.kind is ActionKind.LOOK:
                return looks
            if self.now < until:
                if looks is not None and looks.until is not None:
                    until = min(until, looks.until)
                return _wait(f"{before.ring} soaks before {wave.ring}", wave.index, until)
            if looks is not None:
                return looks
        waits = standing(self.plan, self.state, self.now).missing(wave)
        if waits and all(self.by_name[host].phase.is_to_come for host in wave.hosts):
            return _wait(waits, wave.index)
        return self._looks_before(wave) or self._crowd(wave) or self._pace(wave)

    def _crowd(self, wave: Wave) -> NextAction | None:
        """The WAIT where other rollouts leave no place in the fleet."""
        left = self.elsewhere.left
        if left is None or left > len(self.at_work) or not self.elsewhere.is_busy:
            return None
        count = len(self.elsewhere.at_work) + len(self.elsewhere.fetching)
        busy = f"{count} hosts of other rollouts are at work"
        reason = f"{busy}, {self.elsewhere.most} may be in all"
        return NextAction(ActionKind.WAIT, reason, wave=wave.index, elsewhere=True)

    def _pace(self, wave: Wave) -> NextAction | None:
        """The WAIT where as many hosts as may be were started within a minute."""
        opens = self.pace.opens
        if opens is None:
            return None
        waiting = any(self.by_name[host].phase is HostPhase.WAITING for host in wave.hosts)
        if not waiting and not any(due <= self.now for due in self.away.values()):
            return None
        return _wait(self.pace.refusal(), wave.index, opens)

    def _looks_before(self, wave: Wave) -> NextAction | None:
        """The LOOK at a wave that has not begun, or the WAIT for it, None where there were all."""
        if not wave.gate or any(not self.by_name[host].phase.is_to_come for host in wave.hosts):
            return None
        return next_look(wave, state_of(self.state, wave), wave.gate.looks_before, self.now)

    def _looks_after(self, wave: Wave) -> NextAction | None:
        """The same while it soaks."""
        if not wave.gate:
            return None
        looks = wave.gate.looks(wave.soak_s)
        return next_look(wave, state_of(self.state, wave), looks, self.now)

    def _starts(self, wave: Wave) -> tuple[tuple[NextAction, ...], dict[str, str], dict[str, Span]]:
        """The hosts to start now, those for which there is no room and why, and the windows for
        which the rest waits: of those behind the last place nothing is said where others start. A
        window gives no room: who has none does not wait for one."""
        starts: list[NextAction] = []
        refused: dict[str, str] = {}
        later: dict[str, Span] = {}
        ready = self._one_by_one(wave)
        full = ""
        for host in wave.hosts:
            if (full or wave.wait_s) and starts:
                break
            if self.by_name[host].phase is not HostPhase.WAITING:
                continue
            span = self._window(host)
            if span is None:
                refused[host] = _NO_WINDOW
            elif why := full or self.room.refusal(host):
                refused[host] = why
                full = self.room.full()
            elif span.opens > self.now:
                later[host] = span
            elif ready > self.now:
                later[host] = Span(_WAIT, ready, span.closes)
            else:
                self.room.start(host)
                starts.append(
                    NextAction(ActionKind.START_HOST, wave.ring, host=host, wave=wave.index)
                )
        return tuple(starts), refused, later

    def fetches(self) -> tuple[NextAction, ...]:
        """The hosts to which their packages are brought now, ahead of their start."""
        actions = []
        for wave, host in fetching.due(self.plan, self.state, self.by_name, self.now, self._window):
            if host not in self.held and not self.room.fetch_refusal(host, wave.parallel):
                self.room.fetch(host)
                ahead = f"ahead of {wave.ring}"
                actions.append(NextAction(ActionKind.FETCH_HOST, ahead, host=host, wave=wave.index))
        return tuple(actions)

    def _one_by_one(self, wave: Wave) -> datetime:
        """From when on a host of the wave may start: so long after the last began or ended."""
        if not wave.wait_s:
            return self.now
        begun = (self.by_name[host] for host in wave.hosts)
        changed = (host.since for host in begun if not host.phase.is_to_come)
        last = max((since for since in changed if since is not None), default=None)
        return last + timedelta(seconds=wave.wait_s) if last else self.now

    def _window(self, host: str) -> Span | None:
        """The span in which the host may start next, None where there is none for a year."""
        slot = self.plan.slot(host)
        if slot is None or not self.plan.timetable:
            return Span("", self.now, None)
        key = slot.windows, slot.freezes, slot.needs_s
        if key not in self._spans:
            rules = self.plan.timetable.rules(slot.windows, slot.freezes)
            self._spans[key] = next_fit(*rules, self.now, slot.needs_s)
        return self._spans[key]

    def _wait_for_window(self, wave: Wave, later: dict[str, Span]) -> NextAction:
        first = min(later.values(), key=lambda span: span.opens)
        if first.name == _WAIT:
            reason = f"{wave.ring} waits {wave.wait_s or 0:g} s between two hosts"
            return _wait(reason, wave.index, first.opens)
        name = f"window {first.name}" if first.name else "the end of a freeze"
        count = f"{len(later)} host{'' if len(later) == 1 else 's'}"
        reason = f"{count} of {wave.ring} wait for {name} at {first.opens:%Y-%m-%d %H:%M} UTC"
        return _wait(reason, wave.index, first.opens)

    def _catch_ups(self) -> tuple[NextAction, ...]:
        """Hosts that were away, of this wave and those before it, that are tried again now."""
        if not self.away or self.wave is None:
            return ()
        starts: list[NextAction] = []
        for host, due in self.away.items():
            wave = self.plan.waves[self.plan.wave_of[host]]
            if wave.wait_s and (starts or self._one_by_one(wave) > self.now):
                continue
            span = self._window(host) if self.now >= due else None
            if span is not None and span.opens <= self.now and not self.room.refusal(host):
                self.room.start(host)
                reason = f"{wave.ring}, tried again"
                starts.append(NextAction(ActionKind.START_HOST, reason, host=host, wave=wave.index))
        return tuple(starts)

    def _next_try(self, wave: Wave) -> datetime | None:
        """When the first of the wave's hosts that are away is tried again."""
        return min((self.away[host] for host in wave.hosts if host in self.away), default=None)

    def _stuck_or_done(self, wave: Wave, refused: dict[str, str]) -> NextAction:
        """Nothing is at work: the wave is at its end, or cannot come to it."""
        if refused:
            why = "; ".join(sorted(set(refused.values()))[:3])
            problem = f"no room for {len(refused)} hosts of {wave.ring} ({why}): "
            remedy = "bring those back, or resume to leave these out"
            return NextAction(ActionKind.PAUSE, problem + remedy, wave=wave.index)
        problem = shown_too_little(wave, self.state, self.by_name, self.held)
        if not problem:
            return NextAction(ActionKind.CLOSE_WAVE, f"{wave.ring} is through", wave=wave.index)
        due = self._next_try(wave)
        if due is not None and due > self.now:
            return _wait(f"hosts of {wave.ring} that are away are tried again", wave.index, due)
        return NextAction(ActionKind.PAUSE, problem, wave=wave.index)


def _wait(reason: str, wave: int | None = None, until: datetime | None = None) -> NextAction:
    return NextAction(ActionKind.WAIT, reason, wave=wave, until=until)
