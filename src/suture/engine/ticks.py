"""A tick: load (plan, state, now), ask the core what to do, record it.

Ticks may run anywhere and at once: the state is advanced by a conditional update inside one
transaction, together with the events that tell of it. What a tick starts is recorded first and
enqueued afterwards; whoever drives enqueues it again after a crash, under the same id.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from suture.core import transitions
from suture.core.documents import Document
from suture.core.planning import Plan
from suture.core.progress import (
    ActionKind,
    HostPhase,
    NextAction,
    RolloutState,
    RolloutStatus,
    next_actions,
)
from suture.store import events, plans, rollouts, signals
from suture.store.database import Store
from suture.store.rollouts import StoredRollout


class Tick(Document, frozen=True):
    """The state after the tick, and why what waits is waiting."""

    rollout: StoredRollout
    waiting: tuple[NextAction, ...] = ()

    @property
    def is_at_work(self) -> bool:
        return any(host.phase.is_at_work for host in self.rollout.state.hosts)

    @property
    def needs_person(self) -> bool:
        """Nothing is at work, and nothing will happen before somebody says something."""
        if self.rollout.is_over or self.is_at_work:
            return False
        if self.rollout.state.status is RolloutStatus.PAUSED:
            return True
        return bool(self.waiting) and all(action.until is None for action in self.waiting)


def start_rollout(
    store: Store, plan: Plan, rollout: str, *, actor: str, without_rehearsal: bool, now: datetime
) -> None:
    """Record a new rollout; the next tick begins it."""
    state = transitions.start(plan, rollout)
    with store.begin() as connection:
        rollouts.create(
            connection, state, actor=actor, without_rehearsal=without_rehearsal, now=now
        )
        events.append(
            connection,
            at=now,
            kind="rollout.started",
            subject=rollout,
            actor=actor,
            data={"plan": plan.id, "without_rehearsal": without_rehearsal},
        )


def tick(store: Store, plan: Plan, rollout_id: str, now: datetime) -> Tick:
    """Take signals, decide and record; repeated until only waiting is left."""
    with store.begin() as connection:
        stored = rollouts.get(connection, rollout_id)
        if stored is None:
            raise LookupError(f"no rollout {rollout_id}")
        if stored.is_over:
            return Tick(rollout=stored)
        stored = _take_signals(connection, plan, stored, now)
        waiting: list[NextAction] = []
        while not stored.is_over:
            actions = next_actions(plan, stored.state, now)
            waiting = [action for action in actions if action.kind is ActionKind.WAIT]
            acting = [action for action in actions if action.kind is not ActionKind.WAIT]
            if not acting:
                break
            for action in acting:
                stored = _carry_out(connection, stored, action, now)
        return Tick(rollout=stored, waiting=tuple(waiting))


def take_signals(store: Store, plan: Plan, rollout_id: str, now: datetime) -> StoredRollout:
    """Answer the waiting signals at once, without starting anything."""
    with store.begin() as connection:
        stored = rollouts.get(connection, rollout_id)
        if stored is None:
            raise LookupError(f"no rollout {rollout_id}")
        return _take_signals(connection, plan, stored, now)


def host_finished(
    store: Store, rollout_id: str, host: str, phase: HostPhase, reason: str, now: datetime
) -> bool:
    """Record how a host's work ended; False when the rollout knows better already."""
    with store.begin() as connection:
        stored = rollouts.get(connection, rollout_id)
        if stored is None:
            raise LookupError(f"no rollout {rollout_id}")
        try:
            state = transitions.host_finished(stored.state, host, phase, reason, now)
        except transitions.RefusedError as error:
            _log(connection, stored.id, "host.late", now, host=host, reason=str(error))
            return False
        if state == stored.state:
            return False
        _advance(connection, stored, state)
        _log(connection, stored.id, f"host.{phase.value}", now, host=host, reason=reason)
        return True


def host_started(
    store: Store, rollout_id: str, host: str, phase: HostPhase, reason: str, now: datetime
) -> None:
    """Send a host to work outside of a tick: a way back that a person asked for.

    Raises :class:`suture.core.transitions.RefusedError` where that makes no sense.
    """
    with store.begin() as connection:
        stored = rollouts.get(connection, rollout_id)
        if stored is None:
            raise LookupError(f"no rollout {rollout_id}")
        state = transitions.host_started(stored.state, host, phase, reason, now)
        _advance(connection, stored, state)
        _log(connection, rollout_id, f"host.{phase.value}", now, host=host, reason=reason)


def load_plan(store: Store, rollout_id: str) -> Plan:
    with store.read() as connection:
        stored = rollouts.get(connection, rollout_id)
        plan = plans.get(connection, stored.plan) if stored else None
    if plan is None:
        raise LookupError(f"no rollout {rollout_id}")
    return plan


def _take_signals(
    connection: sa.Connection, plan: Plan, stored: StoredRollout, now: datetime
) -> StoredRollout:
    for signal in signals.waiting(connection, stored.id):
        said = signal.reason or f"{signal.signal.value} by {signal.actor}"
        try:
            state = transitions.apply_signal(plan, stored.state, signal.signal, now, said)
        except transitions.RefusedError as error:
            signals.answer(connection, signal.id, str(error), now)
            continue
        signals.answer(connection, signal.id, "", now)
        stored = _advance(connection, stored, state)
        events.append(
            connection,
            at=now,
            kind=f"signal.{signal.signal.value}",
            subject=stored.id,
            actor=signal.actor,
            data={"reason": signal.reason},
        )
    return stored


def _carry_out(
    connection: sa.Connection, stored: StoredRollout, action: NextAction, now: datetime
) -> StoredRollout:
    state = stored.state
    match action.kind:
        case ActionKind.START_HOST:
            state = transitions.host_started(
                state, action.host, HostPhase.PATCHING, action.reason, now
            )
        case ActionKind.ROLL_BACK_HOST:
            state = transitions.host_started(
                state, action.host, HostPhase.ROLLING_BACK, action.reason, now
            )
        case ActionKind.CLOSE_WAVE:
            assert action.wave is not None
            state = transitions.close_wave(state, action.wave, now)
        case ActionKind.PAUSE:
            state = transitions.pause(state, action.reason)
        case ActionKind.FINISH:
            state = transitions.finish(state)
    ended = now if action.kind is ActionKind.FINISH else None
    _log(
        connection,
        stored.id,
        _KINDS[action.kind],
        now,
        host=action.host,
        reason=action.reason,
        wave=action.wave,
    )
    return _advance(connection, stored, state, ended)


_KINDS = {
    ActionKind.START_HOST: "host.patching",
    ActionKind.ROLL_BACK_HOST: "host.rolling-back",
    ActionKind.CLOSE_WAVE: "wave.closed",
    ActionKind.PAUSE: "rollout.paused",
    ActionKind.FINISH: "rollout.finished",
}


def _advance(
    connection: sa.Connection,
    stored: StoredRollout,
    state: RolloutState,
    ended_at: datetime | None = None,
) -> StoredRollout:
    # The transaction holds the write lock since before the state was read.
    if not rollouts.advance(connection, stored, state, ended_at=ended_at):
        raise RuntimeError(f"rollout {stored.id} changed under the lock")
    fresh = rollouts.get(connection, stored.id)
    assert fresh is not None
    return fresh


def _log(
    connection: sa.Connection,
    rollout: str,
    kind: str,
    now: datetime,
    *,
    host: str = "",
    **data: object,
) -> None:
    events.append(connection, at=now, kind=kind, subject=rollout, host=host, data=data)
