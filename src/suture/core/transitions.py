"""How a rollout's state changes: what happened to a host, and what a person said.

The engine stores what these return. Each refuses what cannot have happened, so that a late or
repeated report from a worker that was given up never overwrites the truth.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from suture.core.planning import Plan
from suture.core.progress import (
    ClosedWave,
    HostPhase,
    HostState,
    RolloutState,
    RolloutStatus,
    Signal,
    Tick,
    current_wave,
)


class RefusedError(ValueError):
    """A signal or a change of phase that makes no sense now, and what would."""


# From which phases a host may be reported in another. A host that was lost may be found again.
_STARTS = {
    HostPhase.PATCHING: (HostPhase.WAITING,),
    HostPhase.ROLLING_BACK: (
        HostPhase.FAILED,
        HostPhase.DONE,
        HostPhase.ROLLBACK_FAILED,
        HostPhase.LOST,
    ),
}
_ENDS = {
    HostPhase.DONE: (HostPhase.PATCHING, HostPhase.LOST),
    HostPhase.SKIPPED: (HostPhase.PATCHING, HostPhase.LOST),
    HostPhase.FAILED: (HostPhase.PATCHING, HostPhase.LOST, HostPhase.DONE),
    HostPhase.ROLLED_BACK: (HostPhase.ROLLING_BACK, HostPhase.ROLLBACK_FAILED, HostPhase.LOST),
    HostPhase.ROLLBACK_FAILED: (HostPhase.ROLLING_BACK, HostPhase.LOST),
    HostPhase.LOST: (HostPhase.PATCHING, HostPhase.ROLLING_BACK),
}


def start(plan: Plan, rollout: str) -> RolloutState:
    """The state before anything happened. Raises :class:`RefusedError` where the plan's waves
    and hosts are not the same hosts, each once."""
    in_waves = [host for wave in plan.waves for host in wave.hosts]
    if sorted(in_waves) != sorted(host.host for host in plan.hosts):
        raise RefusedError("the plan's waves do not hold each of its hosts; run `suture plan lint`")
    if len(set(in_waves)) != len(in_waves):
        raise RefusedError("the plan holds a host twice; run `suture plan lint`")
    hosts = tuple(HostState(host) for host in in_waves)
    return RolloutState(rollout, plan.id, RolloutStatus.RUNNING, hosts)


def host_started(
    state: RolloutState, host: str, phase: HostPhase, reason: str, now: datetime
) -> RolloutState:
    """The host goes to work: ``phase`` is PATCHING or ROLLING_BACK.

    Recorded before the work is enqueued, so that a crash between the two cannot start it twice.
    A second way back for the same host is a new attempt.
    """
    before = _host(state, host)
    if before.phase not in _STARTS.get(phase, ()):
        raise RefusedError(f"{host} is {before.phase}; it cannot go on to {phase}")
    if phase is HostPhase.PATCHING and state.status is not RolloutStatus.RUNNING:
        raise RefusedError(f"the rollout is {state.status}; {host} is not started")
    again = before.phase in (HostPhase.ROLLBACK_FAILED, HostPhase.LOST)
    attempt = before.attempt + (1 if again else 0)
    return _with_host(state, HostState(host, phase, attempt, now, reason))


def host_finished(
    state: RolloutState, host: str, phase: HostPhase, reason: str, now: datetime
) -> RolloutState:
    """The host's work ended in ``phase``, or a later look found it so.

    The same end reported twice changes nothing.
    """
    before = _host(state, host)
    if before.phase is phase:
        return state
    if before.phase not in _ENDS.get(phase, ()):
        raise RefusedError(f"{host} is {before.phase}; it cannot have ended as {phase}")
    return _with_host(state, HostState(host, phase, before.attempt, now, reason))


def close_wave(state: RolloutState, index: int, now: datetime) -> RolloutState:
    """The wave is finished; its soak begins. Closing it twice changes nothing."""
    if any(wave.index == index for wave in state.closed):
        return state
    return replace(state, closed=(*state.closed, ClosedWave(index, now)))


def pause(state: RolloutState, reason: str) -> RolloutState:
    """Stop starting hosts. A rollout that is not running stays as it is."""
    if state.status is not RolloutStatus.RUNNING:
        return state
    return replace(state, status=RolloutStatus.PAUSED, reason=reason)


def finish(state: RolloutState) -> RolloutState:
    """Nothing is left to do. An aborted rollout stays aborted."""
    if state.status is RolloutStatus.ABORTED:
        return state
    return replace(state, status=RolloutStatus.DONE, reason="")


def apply_signal(
    plan: Plan, state: RolloutState, signal: Signal, now: datetime, reason: str = ""
) -> RolloutState:
    """What a person said; ``reason`` says who and why.

    To resume accepts every failure and skip so far. Where there is none to accept and services
    have no room for the hosts that wait, it leaves those hosts out: limits hold for people too.
    Raises :class:`RefusedError` for a signal that makes no sense now.
    """
    if state.status not in (RolloutStatus.RUNNING, RolloutStatus.PAUSED):
        raise RefusedError(f"the rollout is {state.status}; make a new plan for what is left")
    if signal is Signal.ABORT:
        return replace(state, status=RolloutStatus.ABORTED, reason=reason or "aborted")
    if signal is Signal.APPROVE:
        return _approve(plan, state)
    if signal is Signal.PAUSE:
        if state.status is RolloutStatus.PAUSED:
            raise RefusedError(f"the rollout is paused already: {state.reason}")
        return pause(state, reason or "paused by a person")
    if state.status is RolloutStatus.RUNNING:
        raise RefusedError("the rollout is running; there is nothing to resume")
    return _resume(plan, state, now)


def _approve(plan: Plan, state: RolloutState) -> RolloutState:
    wave = current_wave(plan, state)
    if wave is None or not wave.approval or wave.index in state.approved:
        raise RefusedError("no wave waits for approval")
    return replace(state, approved=(*state.approved, wave.index))


def _resume(plan: Plan, state: RolloutState, now: datetime) -> RolloutState:
    running = replace(state, status=RolloutStatus.RUNNING, reason="")
    troubled = [h.host for h in state.hosts if _is_trouble(h) and h.host not in state.tolerated]
    if troubled:
        return replace(running, tolerated=(*state.tolerated, *troubled))
    for host, why in Tick(plan, running, now).stuck().items():
        running = _with_host(running, HostState(host, HostPhase.SKIPPED, 0, now, why))
        running = replace(running, tolerated=(*running.tolerated, host))
    return running


def _is_trouble(host: HostState) -> bool:
    return host.phase.is_failure or host.phase is HostPhase.SKIPPED


def _host(state: RolloutState, name: str) -> HostState:
    for host in state.hosts:
        if host.host == name:
            return host
    raise RefusedError(f"{name} is not a host of this rollout")


def _with_host(state: RolloutState, changed: HostState) -> RolloutState:
    hosts = tuple(changed if host.host == changed.host else host for host in state.hosts)
    return replace(state, hosts=hosts)
