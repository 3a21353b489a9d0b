"""A tick: load (plan, state, now), ask the core what to do, record it.

Ticks may run anywhere and at once: the state is advanced by a conditional update inside one
transaction, together with the events that tell of it. What a tick starts is recorded first and
enqueued afterwards; whoever drives enqueues it again after a crash, under the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from msgspec import UNSET
from msgspec.structs import asdict, replace

from suture.core.documents import Document, decode
from suture.core.planning.plan import Plan
from suture.core.rollout import transitions
from suture.core.rollout.approvals import Approval, renewed
from suture.core.rollout.limits import MINUTE, Elsewhere
from suture.core.rollout.progress import asked_back, next_actions
from suture.core.rollout.signals import apply_signal
from suture.core.rollout.signals import approve as approved
from suture.core.rollout.state import (
    ActionKind,
    GateState,
    HostPhase,
    HostState,
    NextAction,
    RolloutState,
    RolloutStatus,
)
from suture.core.rollout.transitions import RefusedError
from suture.core.rollout.ways_back import AskedBack
from suture.engine.records import advance, deciding, get, transact
from suture.store import events, plans, rollouts, signals
from suture.store.database import Store
from suture.store.rollouts import StoredRollout

PLAN_APPROVED = "plan.approved"


class Tick(Document, frozen=True, dict=True):
    """The state after the tick, and why what waits is waiting."""

    rollout: StoredRollout
    waiting: tuple[NextAction, ...] = ()

    @cached_property
    def at_work(self) -> tuple[HostState, ...]:
        return tuple(host for host in self.rollout.state.hosts if host.phase.is_at_work)

    @property
    def fetching(self) -> tuple[HostState, ...]:
        """The hosts to which packages are brought ahead of time."""
        return tuple(host for host in self.rollout.state.hosts if host.phase is HostPhase.FETCHING)

    @property
    def looking(self) -> tuple[GateState, ...]:
        """The waves that are being looked at."""
        return tuple(gate for gate in self.rollout.state.gates if gate.is_looking)

    @property
    def is_at_work(self) -> bool:
        return bool(self.at_work or self.fetching or self.looking)

    @property
    def needs_person(self) -> bool:
        """Nothing is at work, and nothing will happen before somebody says something."""
        if self.rollout.is_over or self.is_at_work:
            return False
        if self.rollout.state.status is RolloutStatus.PAUSED:
            return True
        return bool(self.waiting) and not any(
            action.until or action.elsewhere for action in self.waiting
        )

    @property
    def is_settled(self) -> bool:
        """Driving on changes nothing: it is over, or needs a person."""
        return self.needs_person or (self.rollout.is_over and not self.at_work)


def start_rollout(
    store: Store,
    plan: Plan,
    rollout: str,
    *,
    actor: str,
    without_rehearsal: bool,
    now: datetime,
    catches_up: RolloutState | None = None,
    hosts: Sequence[str] = (),
) -> None:
    """Record a new rollout of a stored plan; the next tick begins it. With ``catches_up`` it is
    for those ``hosts`` alone that were away in that rollout.

    Raises :class:`RefusedError` where a host still has a part in another rollout: two never work
    on the same host.
    """
    with deciding(store) as connection:
        given = plan_approvals(connection, plan.id)
        if catches_up is None:
            state = transitions.start(plan, rollout, by=actor, approvals=given)
        else:
            state = transitions.catch_up(plan, catches_up, rollout, hosts, by=actor, now=now)
        _refuse_shared_hosts(connection, state)
        rollouts.create(
            connection,
            state,
            actor=actor,
            without_rehearsal=without_rehearsal,
            now=now,
            jumps=plan.jump_of,
        )
        events.append(
            connection,
            at=now,
            kind="rollout.started",
            subject=rollout,
            actor=actor,
            data={"plan": plan.id, "without_rehearsal": without_rehearsal}
            | ({"catches_up": catches_up.rollout, "hosts": hosts} if catches_up else {}),
        )


def tick(
    store: Store, plan: Plan, rollout_id: str, now: datetime, *, most: int | None = None
) -> Tick:
    """Take signals, decide and record; repeated until only waiting is left.

    ``most`` hosts may be at work in all rollouts together.
    """

    def act(connection: sa.Connection) -> Tick:
        stored = get(connection, rollout_id)
        log = _Log(connection, rollout_id, now)
        state = _take_signals(log, plan, stored.state)
        elsewhere = _elsewhere(connection, plan, rollout_id, now, most)
        if stored.is_over:
            state, waiting = _carry_out_asked(log, plan, state, elsewhere)
            return Tick(advance(connection, stored, state), waiting)
        state, waiting, is_finished = _carry_out(log, plan, state, elsewhere)
        return Tick(advance(connection, stored, state, now if is_finished else None), waiting)

    return transact(store, act)


def look(
    store: Store, plan: Plan, rollout_id: str, now: datetime, *, most: int | None = None
) -> Tick:
    """The state as it is, and what is waited for where nothing else is due; changes nothing."""
    with store.read() as connection:
        stored = get(connection, rollout_id)
        elsewhere = _elsewhere(connection, plan, rollout_id, now, most)
    decide = asked_back if stored.is_over else next_actions
    actions = decide(plan, stored.state, now, elsewhere)
    is_waiting = all(action.kind is ActionKind.WAIT for action in actions)
    return Tick(stored, actions if is_waiting else ())


def take_signals(store: Store, plan: Plan, rollout_id: str, now: datetime) -> StoredRollout:
    """Answer the waiting signals at once, without starting anything."""

    def act(connection: sa.Connection) -> StoredRollout:
        stored = get(connection, rollout_id)
        state = _take_signals(_Log(connection, rollout_id, now), plan, stored.state)
        return advance(connection, stored, state)

    return transact(store, act)


def ask_back(
    store: Store, rollout_id: str, asked: Sequence[AskedBack], *, actor: str, now: datetime
) -> None:
    """Record which hosts a person wants back, also after the rollout's end. Whoever drives the
    rollout does it, within the limits of its plan.

    Raises :class:`RefusedError` where that makes no sense.
    """

    def act(connection: sa.Connection) -> None:
        stored = get(connection, rollout_id)
        advance(connection, stored, transitions.ask_back(stored.state, asked))
        log = _Log(connection, rollout_id, now)
        for one in asked:
            log.add("host.asked-back", one.host, actor=actor, reason=one.reason, how=one.how)

    transact(store, act)


def approve(
    store: Store,
    plan: Plan,
    rollout_id: str,
    *,
    by: str,
    roles: Sequence[str],
    role: str,
    ring: str,
    reason: str,
    now: datetime,
) -> StoredRollout:
    """A person of ``roles`` lets waves start; whoever drives the rollout goes on with it.

    Raises :class:`RefusedError` where that adds nothing.
    """

    def act(connection: sa.Connection) -> StoredRollout:
        stored = get(connection, rollout_id)
        state = approved(
            plan, stored.state, now, by=by, roles=roles, role=role, ring=ring, reason=reason
        )
        log = _Log(connection, rollout_id, now)
        for given in state.approvals:
            if given not in stored.state.approvals:
                log.add("signal.approve", actor=by, **asdict(given))
        return advance(connection, stored, state)

    return transact(store, act)


def approve_plan(store: Store, given: Sequence[Approval], actor: str) -> None:
    """Keep approvals of a plan for the rollout that will be started of it: as events."""
    with store.begin() as connection:
        for one in given:
            events.append(
                connection,
                at=one.at,
                kind=PLAN_APPROVED,
                subject=one.plan,
                actor=actor,
                data=one,
            )


def plan_approvals(connection: sa.Connection, plan_id: str) -> tuple[Approval, ...]:
    """Those given to a plan before a rollout of it was started."""
    given: tuple[Approval, ...] = ()
    for event in events.stream(connection, subject=plan_id):
        if event.kind == PLAN_APPROVED:
            given = renewed(given, [decode(event.data, Approval)])
    return given


def load_plan(store: Store, rollout_id: str) -> Plan:
    with store.read() as connection:
        plan = plans.get(connection, get(connection, rollout_id).plan)
    assert plan is not None
    return plan


def _elsewhere(
    connection: sa.Connection, plan: Plan, rollout: str, now: datetime, most: int | None
) -> Elsewhere:
    elsewhere = rollouts.elsewhere(connection, rollout, most)
    if plan.starts_per_minute is UNSET:
        return elsewhere
    started = events.times(connection, _KINDS[ActionKind.START_HOST], after=now - MINUTE)
    return replace(elsewhere, started=started)


class _Log:
    """The events of one tick."""

    def __init__(self, connection: sa.Connection, rollout: str, now: datetime) -> None:
        self.connection = connection
        self.rollout = rollout
        self.now = now

    def add(self, kind: str, host: str = "", actor: str = "", **data: object) -> None:
        events.append(
            self.connection,
            at=self.now,
            kind=kind,
            subject=self.rollout,
            host=host,
            actor=actor,
            data=data,
        )


def _refuse_shared_hosts(connection: sa.Connection, state: RolloutState) -> None:
    taken = rollouts.taking_part(connection)
    for host in sorted(one.host for one in state.hosts if not one.phase.is_final):
        if host in taken:
            other, status = taken[host]
            raise RefusedError(
                f"{host} has a part in rollout {other}, which is {status}; "
                f"let that one end, or abort it with `suture rollout abort {other}`"
            )


def _take_signals(log: _Log, plan: Plan, state: RolloutState) -> RolloutState:
    """Each signal is answered: taken, or refused and why."""
    for given in signals.waiting(log.connection, log.rollout):
        said = given.reason or f"{given.signal.value} by {given.actor}"
        try:
            state = apply_signal(plan, state, given.signal, log.now, said, by=given.actor)
        except RefusedError as error:
            signals.answer(log.connection, given.id, str(error), log.now)
            log.add(
                "signal.refused", actor=given.actor, signal=given.signal.value, reason=str(error)
            )
            continue
        signals.answer(log.connection, given.id, "", log.now)
        log.add(f"signal.{given.signal.value}", actor=given.actor, reason=given.reason)
    return state


def _carry_out(
    log: _Log, plan: Plan, state: RolloutState, elsewhere: Elsewhere
) -> tuple[RolloutState, tuple[NextAction, ...], bool]:
    """The state when only waiting is left, what is waited for, and whether it has finished."""
    while True:
        actions = next_actions(plan, state, log.now, elsewhere)
        moves = [action for action in actions if action.kind is not ActionKind.WAIT]
        if not moves:
            return state, actions, False
        for action in moves:
            if action.kind is not ActionKind.LOOK:
                log.add(_KINDS[action.kind], action.host, **_told(action))
        state = transitions.carried_out(state, moves, log.now)
        elsewhere = elsewhere.after(moves, log.now)
        if moves[-1].kind is ActionKind.FINISH:
            return state, (), True


def _carry_out_asked(
    log: _Log, plan: Plan, state: RolloutState, elsewhere: Elsewhere
) -> tuple[RolloutState, tuple[NextAction, ...]]:
    """The same for a rollout that is over."""
    actions = asked_back(plan, state, log.now, elsewhere)
    moves = [action for action in actions if action.kind is not ActionKind.WAIT]
    for action in moves:
        log.add(_KINDS[action.kind], action.host, reason=action.reason, wave=action.wave)
    return transitions.carried_out(state, moves, log.now), actions[len(moves) :]


def _told(action: NextAction) -> dict[str, Any]:
    """What an event says about an action."""
    told: dict[str, Any] = {"reason": action.reason, "wave": action.wave}
    if action.take_back:
        told["take_back"] = action.take_back
    if action.held:
        told |= {"source": action.held.source, "version": action.held.version}
    return told


_KINDS = {
    ActionKind.START_HOST: "host.patching",
    ActionKind.FETCH_HOST: "host.fetching",
    ActionKind.ROLL_BACK_HOST: "host.rolling-back",
    ActionKind.HOLD_BACK: "package.held-back",
    ActionKind.LEAVE_OUT: "host.skipped",
    ActionKind.CLOSE_WAVE: "wave.closed",
    ActionKind.PAUSE: "rollout.paused",
    ActionKind.FINISH: "rollout.finished",
}
