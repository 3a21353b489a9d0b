"""Rollouts at random: plans, outcomes, crashes and people, against the promises.

The machine plays the engine as badly as it may: it carries out only some of the actions it is
given, reloads the state from its bytes at any time, and reports ends in any order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from suture.core.documents import decode, encode
from suture.core.evidence import Verdict
from suture.core.planning.plan import OnFailure, Plan, Slot
from suture.core.rollout.holding import bringing
from suture.core.rollout.progress import next_actions
from suture.core.rollout.signals import apply_signal
from suture.core.rollout.state import (
    ActionKind,
    GateState,
    HostPhase,
    RolloutState,
    RolloutStatus,
    Signal,
)
from suture.core.rollout.transitions import (
    RefusedError,
    carried_out,
    close_wave,
    finish,
    host_ended,
    host_finished,
    host_started,
    look_done,
    pause,
    start,
)
from tests.unit.core.builders import NOW
from tests.unit.core.random_plans import FROZEN, MINUTES, plans

STARTS = {
    ActionKind.START_HOST: HostPhase.PATCHING,
    ActionKind.FETCH_HOST: HostPhase.FETCHING,
    ActionKind.ROLL_BACK_HOST: HostPhase.ROLLING_BACK,
}
TAKEN_BACK = (HostPhase.FAILED, HostPhase.ROLLING_BACK, HostPhase.ROLLED_BACK)
SUSPECTS = st.lists(st.sampled_from(["nginx", "openssl", "other"]), unique=True)
ENDS = {
    HostPhase.PATCHING: [HostPhase.DONE, HostPhase.SKIPPED, HostPhase.FAILED, HostPhase.LOST],
    HostPhase.ROLLING_BACK: [HostPhase.ROLLED_BACK, HostPhase.ROLLBACK_FAILED, HostPhase.LOST],
}


class Rollout(RuleBasedStateMachine):
    plan: Plan
    state: RolloutState

    @initialize(whole=plans())
    def begin(self, whole: Plan) -> None:
        self.plan = whole
        self.state = start(whole, "r")
        self.now = NOW
        self.starts: Counter[str] = Counter()
        self.failed: set[str] = set()
        self.away: set[str] = set()
        self.fetches: Counter[str] = Counter()

    def phases(self) -> dict[str, HostPhase]:
        return {host.host: host.phase for host in self.state.hosts}

    def at_work(self) -> list[str]:
        return [name for name, phase in self.phases().items() if phase.is_at_work]

    def tick(self, so_many: int) -> None:
        """Ask, and carry out the first so many answers."""
        before = self.state
        for action in next_actions(self.plan, self.state, self.now)[:so_many]:
            if action.kind in STARTS:
                phase = STARTS[action.kind]
                if phase is HostPhase.PATCHING:
                    assert before.status is RolloutStatus.RUNNING
                    self.may_start_now(before, again=bool(self.starts[action.host]))
                    self.is_in_its_window(action.host)
                    assert action.host not in bringing(self.plan, before.held_back)
                    self.starts[action.host] += 1
                    self.may_follow(before)
                    self.is_apart_from_the_last(action.host)
                elif phase is HostPhase.FETCHING:
                    self.may_fetch(before, action.host)
                    self.fetches[action.host] += 1
                else:
                    self.may_take_back(before, action.host)
                self.state = host_started(self.state, action.host, phase, "", self.now)
            elif action.kind in (ActionKind.HOLD_BACK, ActionKind.LEAVE_OUT, ActionKind.LOOK):
                self.state = carried_out(self.state, [action], self.now)
            elif action.kind is ActionKind.CLOSE_WAVE:
                assert action.wave is not None
                self.state = close_wave(self.state, action.wave, self.now)
            elif action.kind is ActionKind.PAUSE:
                self.state = pause(self.state, action.reason, action.take_back)
            elif action.kind is ActionKind.FINISH:
                self.state = finish(self.state)

    def fetching(self) -> list[str]:
        return [name for name, phase in self.phases().items() if phase is HostPhase.FETCHING]

    def may_fetch(self, state: RolloutState, host: str) -> None:
        """Only while it runs, for a host that no one has begun, once, and not too far ahead."""
        assert state.status is RolloutStatus.RUNNING
        assert self.phases()[host] is HostPhase.WAITING
        assert not self.fetches[host]
        ahead = self.plan.predownload_s
        assert ahead
        slot = self.plan.slot(host)
        until = self.now + timedelta(seconds=ahead)
        if slot is not None and slot.windows:
            minutes = range(int((until - self.now).total_seconds()) // 60 + 1)
            times = [self.now + timedelta(minutes=one) for one in minutes]
            assert any(self.is_open(slot, at) for at in times)

    def is_open(self, slot: Slot, at: datetime) -> bool:
        today = NOW + timedelta(days=(at - NOW).days)
        return any(
            today + timedelta(minutes=begin) <= at < today + timedelta(minutes=close)
            for begin, close in (MINUTES[name] for name in slot.windows)
        )

    def may_start_now(self, state: RolloutState, *, again: bool) -> None:
        """Soaks are over and failures within their limits, whatever the machine thinks."""
        phases = {host.host: host.phase for host in state.hosts}
        held = {one.source for one in state.held_back}
        contained = {
            host.host
            for host in state.hosts
            if host.suspects and held.issuperset(host.suspects) and host.phase in TAKEN_BACK
        }
        assert not contained or len(held) <= (self.plan.max_held_back or 0)
        closed = {wave.index: wave.at for wave in state.closed}
        for before, after in pairwise(self.plan.waves):
            if before.index in closed and after.index not in closed and not again:
                assert self.now >= closed[before.index] + timedelta(seconds=before.soak_s)
        for wave_ in self.plan.waves:
            failed = {name for name in wave_.hosts if phases[name].is_failure}
            assert len(failed - set(state.tolerated) - contained) <= wave_.max_failures

    def may_take_back(self, state: RolloutState, host: str) -> None:
        """A host that failed, or one that is well in a wave that is given up, where its service
        can spare it."""
        phases = self.phases()
        wave_ = self.plan.waves[self.plan.wave_of[host]]
        if phases[host] is HostPhase.FAILED:
            assert self.plan.on_failure(wave_) is not OnFailure.PAUSE
            return
        assert phases[host] is HostPhase.DONE
        assert wave_.index in state.taking_back
        assert state.status is not RolloutStatus.RUNNING
        gone = {entry.host for entry in self.plan.left_out if entry.unknown}
        for limit in self.plan.limits_of.get(host, ()):
            out = [m for m in limit.members if m in gone or phases[m].is_out]
            assert len(out) < limit.max_out

    def may_follow(self, state: RolloutState) -> None:
        """No wave follows one whose gate neither passed nor was accepted."""
        gates = {gate.wave: gate for gate in state.gates}
        for before, after in pairwise(self.plan.waves):
            if before.gate and any(self.starts[host] for host in after.hosts):
                gate = gates[before.index]
                assert gate.verdict is Verdict.PASS or gate.accepted

    def is_apart_from_the_last(self, host: str) -> None:
        wave_ = self.plan.waves[self.plan.wave_of[host]]
        if wave_.wait_s:
            changed = [
                one.since
                for one in self.state.hosts
                if one.host in wave_.hosts and one.since and not one.phase.is_to_come
            ]
            assert all(self.now >= at + timedelta(seconds=wave_.wait_s) for at in changed)

    def is_in_its_window(self, host: str) -> None:
        """Inside of one of its windows, with enough left of it, and in no freeze; by the clock."""
        slot = self.plan.slot(host)
        if slot is None:
            return
        today = NOW + timedelta(days=(self.now - NOW).days)
        end = self.now + timedelta(seconds=slot.takes_s + slot.reserve_s)
        assert not slot.windows or any(
            today + timedelta(minutes=begin) <= self.now and end <= today + timedelta(minutes=close)
            for begin, close in (MINUTES[name] for name in slot.windows)
        )
        frozen = (NOW + timedelta(minutes=FROZEN)).date()
        assert not slot.freezes or (self.now.date() != frozen and end.date() != frozen)

    def end(
        self, host: str, phase: HostPhase, suspects: Sequence[str] = (), away: bool = False
    ) -> None:
        self.state = host_finished(
            self.state, host, phase, "so it ended", self.now, suspects=suspects, away=away
        )
        if phase is HostPhase.FAILED:
            self.failed.add(host)
        if away:
            self.away.add(host)

    @rule(so_many=st.integers(0, 20))
    def look(self, so_many: int) -> None:
        self.tick(so_many)

    @precondition(lambda self: self.at_work())
    @rule(data=st.data())
    def host_ends(self, data: st.DataObject) -> None:
        host = data.draw(st.sampled_from(self.at_work()))
        phase = data.draw(st.sampled_from(ENDS[self.phases()[host]]))
        failed = phase is HostPhase.FAILED
        away = phase is HostPhase.SKIPPED and data.draw(st.booleans())
        self.end(host, phase, data.draw(SUSPECTS) if failed else (), away)

    @precondition(lambda self: self.fetching())
    @rule(data=st.data(), well=st.booleans())
    def a_fetch_ends(self, data: st.DataObject, well: bool) -> None:
        self.fetch_ends(data.draw(st.sampled_from(self.fetching())), well)

    def fetch_ends(self, host: str, well: bool) -> None:
        hosts = tuple(
            host_ended(one, HostPhase.WAITING, "", self.now, fetched=well)
            if one.host == host
            else one
            for one in self.state.hosts
        )
        self.state = replace(self.state, hosts=hosts)

    def looking(self) -> list[GateState]:
        return [gate for gate in self.state.gates if gate.is_looking]

    def look_ends(self, gate: GateState, verdict: Verdict | None) -> None:
        """As the engine reports it: at the last look there is a verdict."""
        wave_ = next(one for one in self.plan.waves if one.index == gate.wave)
        assert wave_.gate
        is_last = gate.begun >= wave_.gate.looks(wave_.soak_s)
        verdict = verdict or (Verdict.PASS if is_last else None)
        verdict = None if verdict is Verdict.PASS and not is_last else verdict
        self.state = look_done(self.state, gate.wave, gate.done, verdict, "so it looks")

    @precondition(lambda self: self.looking())
    @rule(verdict=st.sampled_from([None, None, None, *Verdict]))
    def a_look_ends(self, verdict: Verdict | None) -> None:
        self.look_ends(self.looking()[0], verdict)

    @precondition(lambda self: HostPhase.LOST in self.phases().values())
    @rule()
    def lost_host_is_found(self) -> None:
        lost = next(name for name, phase in self.phases().items() if phase is HostPhase.LOST)
        self.end(lost, HostPhase.DONE)

    @rule(
        signal=st.sampled_from([Signal.PAUSE, Signal.RESUME, Signal.APPROVE] * 3 + [Signal.ABORT])
    )
    def person(self, signal: Signal) -> None:
        try:
            self.state = apply_signal(self.plan, self.state, signal, self.now)
        except RefusedError as refused:
            assert str(refused)

    @rule(minutes=st.integers(0, 3))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(hours=st.integers(1, 30))
    def much_time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def crash(self) -> None:
        self.state = decode(encode(self.state), RolloutState)
        self.plan = decode(encode(self.plan), Plan)

    @invariant()
    def limits_hold(self) -> None:
        phases = self.phases()
        working = self.at_work()
        most = max(w.parallel for w in self.plan.waves)
        for jump, limit in self.plan.jump_limits:
            assert sum(self.plan.host(name).jump == jump for name in working) <= limit
        assert len(working) <= most
        fetching = self.fetching()
        assert len(fetching) <= most
        for jump, limit in self.plan.jump_limits:
            behind = [name for name in fetching if self.plan.host(name).jump == jump]
            assert len(behind) <= max(1, limit // 2)
            busy = [name for name in working if self.plan.host(name).jump == jump]
            assert len(behind) + len(busy) <= limit
        gone = {entry.host for entry in self.plan.left_out if entry.unknown}
        for limit_ in self.plan.services:
            out = [m for m in limit_.members if m in gone or phases[m].is_out]
            patching = [m for m in limit_.members if phases.get(m) is HostPhase.PATCHING]
            assert not patching or len(out) <= limit_.max_out

    @invariant()
    def waves_go_in_order(self) -> None:
        closed = {wave_.index for wave_ in self.state.closed}
        phases = self.phases()
        for before, after in pairwise(self.plan.waves):
            if any(self.starts[name] for name in after.hosts):
                assert before.index in closed
                approved = {given.wave for given in self.state.approvals}
                assert not after.approval or after.index in approved
            if before.index in closed:
                assert not any(phases[name].is_to_come for name in before.hosts)

    @invariant()
    def no_host_is_started_twice(self) -> None:
        """But where it was away, and then only as often as the plan says."""
        most = self.plan.catch_up.tries if self.plan.catch_up else 1
        for name, times in self.starts.items():
            assert times <= (most if name in self.away else 1)

    @invariant()
    def there_is_always_an_answer_until_the_end(self) -> None:
        actions = next_actions(self.plan, self.state, self.now)
        assert bool(actions) == (self.state.status is not RolloutStatus.DONE)

    def teardown(self) -> None:
        """From wherever it is, it ends when hosts finish, pauses are resumed and waves approved."""
        if not hasattr(self, "plan"):
            return
        for turn in range(300):
            actions = next_actions(self.plan, self.state, self.now)
            if not actions or (
                self.state.status is RolloutStatus.ABORTED and actions[0].kind is ActionKind.FINISH
            ):
                break
            self.tick(len(actions))
            self.limits_hold()
            for number, host in enumerate(self.at_work()):
                ends = ENDS[self.phases()[host]]
                self.end(host, ends[(turn + number // 3) % len(ends)])
            for number, host in enumerate(self.fetching()):
                self.fetch_ends(host, bool(number % 2))
            for gate in self.looking():
                self.look_ends(gate, (None, Verdict.FAIL, Verdict.INCONCLUSIVE)[turn % 3])
            for signal in (Signal.RESUME, Signal.APPROVE):
                self.person(signal)
            untils = [action.until for action in actions if action.until is not None]
            self.now = max([self.now + timedelta(seconds=20), *untils])
        else:
            raise AssertionError(f"does not end: {actions}")
        self.every_failed_host_has_its_way_back_or_is_reported()

    def every_failed_host_has_its_way_back_or_is_reported(self) -> None:
        phases = self.phases()
        for host in self.failed:
            wave_ = self.plan.waves[self.plan.wave_of[host]]
            if self.plan.on_failure(wave_) is not OnFailure.PAUSE:
                assert phases[host] is not HostPhase.FAILED
            else:
                assert phases[host].is_failure or phases[host] is HostPhase.DONE
        if self.state.status is RolloutStatus.DONE:
            assert not any(phase.is_to_come for phase in phases.values())


TestRollout = Rollout.TestCase
TestRollout.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
