"""How a rollout's state changes by what people say to it: pause, resume, approve, abort."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from suture.core.planning.plan import Plan
from suture.core.rollout.approvals import renewed, standing
from suture.core.rollout.going_forward import stuck
from suture.core.rollout.state import HostPhase, HostState, RolloutState, RolloutStatus, Signal
from suture.core.rollout.tick import Tick
from suture.core.rollout.transitions import RefusedError, leave_out, pause


def apply_signal(
    plan: Plan,
    state: RolloutState,
    signal: Signal,
    now: datetime,
    reason: str = "",
    *,
    by: str = "",
) -> RolloutState:
    """What a person said, ``by`` whom; ``reason`` says who and why.

    To resume accepts every failure, skip and verdict so far, and what is still patched is left so.
    Where there is none to accept and services have no room for the hosts that wait, it leaves
    those hosts out: limits hold for people too.
    Raises :class:`RefusedError` for a signal that makes no sense now.
    """
    _refuse_over(state)
    if signal is Signal.ABORT:
        return replace(state, status=RolloutStatus.ABORTED, reason=reason or "aborted")
    if signal is Signal.APPROVE:
        return approve(plan, state, now, by=by, reason=reason)
    if signal is Signal.PAUSE:
        if state.status is RolloutStatus.PAUSED:
            raise RefusedError(f"the rollout is paused already: {state.reason}")
        return pause(state, reason or "paused by a person")
    if state.status is RolloutStatus.RUNNING:
        raise RefusedError("the rollout is running; there is nothing to resume")
    return _resume(plan, state, now)


def approve(
    plan: Plan,
    state: RolloutState,
    now: datetime,
    *,
    by: str,
    roles: Sequence[str] = (),
    role: str = "",
    ring: str = "",
    reason: str = "",
) -> RolloutState:
    """A person of ``roles`` lets the next wave start, or, with ``ring``, all to come of that.

    Raises :class:`RefusedError` where that adds nothing, with the reason.
    """
    _refuse_over(state)
    closed = {wave.index for wave in state.closed} | set(state.approved)
    coming = [wave for wave in plan.waves if wave.index not in closed]
    waves = [wave for wave in coming if wave.ring == ring] if ring else coming[:1]
    added = standing(plan, state, now).granted(waves, by=by, roles=roles, role=role, reason=reason)
    if isinstance(added, str):
        raise RefusedError(added)
    return replace(state, approvals=renewed(state.approvals, added))


def _refuse_over(state: RolloutState) -> None:
    if state.status not in (RolloutStatus.RUNNING, RolloutStatus.PAUSED):
        raise RefusedError(f"the rollout is {state.status}; make a new plan for what is left")


def _resume(plan: Plan, state: RolloutState, now: datetime) -> RolloutState:
    gates = tuple(replace(one, accepted=one.accepted or one.holds) for one in state.gates)
    running = replace(state, status=RolloutStatus.RUNNING, reason="", taking_back=(), gates=gates)
    troubled = [h.host for h in state.hosts if _is_trouble(h) and h.host not in state.tolerated]
    if troubled or gates != state.gates:
        return replace(running, tolerated=(*state.tolerated, *troubled))
    left = stuck(Tick(plan, running, now))
    return replace(leave_out(running, left.items(), now), tolerated=(*state.tolerated, *left))


def _is_trouble(host: HostState) -> bool:
    return host.phase.is_failure or host.phase is HostPhase.SKIPPED
