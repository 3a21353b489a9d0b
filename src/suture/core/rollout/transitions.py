"""How a rollout's state changes: what happened to a host, and what a person said.

The engine stores what these return. Each refuses what cannot have happened, so that a late or
repeated report from a worker that was given up never overwrites the truth.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import UNSET
from msgspec.structs import replace

from suture.core.evidence import Verdict
from suture.core.planning.plan import HeldBack, Plan
from suture.core.rollout.approvals import Approval
from suture.core.rollout.state import (
    ActionKind,
    ClosedWave,
    GateState,
    HostPhase,
    HostState,
    NextAction,
    RolloutState,
    RolloutStatus,
    Stood,
)
from suture.core.rollout.ways_back import AskedBack


class RefusedError(ValueError):
    """A signal or a change of phase that makes no sense now, and what would."""


Move = tuple[str, HostPhase, str]
"""A host, the phase that it goes to, and why."""

_WORK = {
    ActionKind.START_HOST: HostPhase.PATCHING,
    ActionKind.FETCH_HOST: HostPhase.FETCHING,
    ActionKind.ROLL_BACK_HOST: HostPhase.ROLLING_BACK,
}

# From which phases a host may be reported in another. A host that was lost may be found again.
_STARTS = {
    HostPhase.FETCHING: (HostPhase.WAITING,),
    HostPhase.PATCHING: (HostPhase.WAITING, HostPhase.SKIPPED),  # one that was away
    HostPhase.ROLLING_BACK: (
        HostPhase.FAILED,
        HostPhase.DONE,
        HostPhase.ROLLBACK_FAILED,
        HostPhase.LOST,
        HostPhase.ROLLED_BACK,  # in part
    ),
}
_AFTER_A_WAY_BACK = (HostPhase.ROLLBACK_FAILED, HostPhase.LOST, HostPhase.ROLLED_BACK)
_ENDS = {
    HostPhase.WAITING: (HostPhase.FETCHING,),
    HostPhase.DONE: (HostPhase.PATCHING, HostPhase.LOST),
    HostPhase.SKIPPED: (HostPhase.PATCHING, HostPhase.LOST),
    HostPhase.FAILED: (HostPhase.PATCHING, HostPhase.LOST, HostPhase.DONE),
    HostPhase.ROLLED_BACK: (HostPhase.ROLLING_BACK, HostPhase.ROLLBACK_FAILED, HostPhase.LOST),
    HostPhase.ROLLBACK_FAILED: (HostPhase.ROLLING_BACK, HostPhase.LOST),
    HostPhase.LOST: (HostPhase.PATCHING, HostPhase.ROLLING_BACK),
}


def start(
    plan: Plan, rollout: str, *, by: str = "", approvals: Sequence[Approval] = ()
) -> RolloutState:
    """The state before anything happened; ``approvals`` were given to the plan.

    Raises :class:`RefusedError` where the plan's waves and hosts are not the same hosts, each once.
    """
    in_waves = [host for wave in plan.waves for host in wave.hosts]
    if sorted(in_waves) != sorted(host.host for host in plan.hosts):
        raise RefusedError("the plan's waves do not hold each of its hosts; run `suture plan lint`")
    if len(set(in_waves)) != len(in_waves):
        raise RefusedError("the plan holds a host twice; run `suture plan lint`")
    hosts = tuple(HostState(host) for host in in_waves)
    return RolloutState(
        rollout,
        plan.id,
        RolloutStatus.RUNNING,
        hosts,
        approvals=tuple(one for one in approvals if one.plan == plan.id),
        started_by=by,
    )


def catch_up(
    plan: Plan,
    before: RolloutState,
    rollout: str,
    hosts: Collection[str],
    *,
    by: str,
    now: datetime,
) -> RolloutState:
    """The state of another rollout of the plan for hosts that were away in the one ``before``.

    What that one proved still counts: waves without any of these hosts are closed, its gates and
    approvals stand, and what it held back stays so.
    """
    others = {host.host: host for host in before.hosts if host.host not in hosts}
    left = {
        name: HostState(name, HostPhase.SKIPPED, 0, now, f"{host.phase} in {before.rollout}")
        for name, host in others.items()
    }
    fresh = start(plan, rollout, by=by, approvals=before.approvals)
    closed = {wave.index for wave in plan.waves if not set(wave.hosts) & set(hosts)}
    return replace(
        _with_hosts(fresh, left),
        closed=tuple(wave for wave in before.closed if wave.index in closed),
        approved=before.approved,
        tolerated=tuple(left),
        held_back=before.held_back,
        gates=before.gates,
    )


def carried_out(state: RolloutState, actions: Sequence[NextAction], now: datetime) -> RolloutState:
    """The state after what :func:`next_actions` said was done; a WAIT changes nothing."""
    moves = [(one.host, _WORK[one.kind], one.reason) for one in actions if one.kind in _WORK]
    if moves:
        state = hosts_started(state, moves, now)
    left_out = [(one.host, one.reason) for one in actions if one.kind is ActionKind.LEAVE_OUT]
    if left_out:
        state = leave_out(state, left_out, now)
    for action in actions:
        match action.kind:
            case ActionKind.CLOSE_WAVE:
                assert action.wave is not None
                state = close_wave(state, action.wave, now)
            case ActionKind.PAUSE:
                state = pause(state, action.reason, action.take_back)
            case ActionKind.LOOK:
                assert action.wave is not None
                state = look_begun(state, action.wave, now)
            case ActionKind.HOLD_BACK:
                assert action.held is not None
                state = hold_back(state, action.held)
            case ActionKind.FINISH:
                state = finish(state)
            case _:
                continue
    return state


def host_started(
    state: RolloutState, host: str, phase: HostPhase, reason: str, now: datetime
) -> RolloutState:
    """The host goes to work: ``phase`` is PATCHING, ROLLING_BACK or FETCHING.

    Recorded before the work is enqueued, so that a crash between the two cannot start it twice.
    A second way back for the same host is a new attempt. What a person asked of it is kept with it.
    """
    return hosts_started(state, [(host, phase, reason)], now)


def host_finished(
    state: RolloutState,
    host: str,
    phase: HostPhase,
    reason: str,
    now: datetime,
    *,
    suspects: Sequence[str] = (),
    away: bool = False,
) -> RolloutState:
    """The host's work ended in ``phase``, or a later look found it so; ``suspects`` are the source
    packages held responsible, and one that was ``away`` did not answer.

    The same end reported twice changes nothing.
    """
    after = hosts_finished(state, [(host, phase, reason)], now)
    if after is state or not (suspects or away):
        return after
    known = _host(_by_name(after), host)
    known = replace(known, suspects=tuple(suspects) or UNSET, away=away or UNSET)
    return _with_hosts(after, {host: known})


def hosts_started(state: RolloutState, moves: Iterable[Move], now: datetime) -> RolloutState:
    """:func:`host_started` for many at once."""
    hosts = _by_name(state)
    changed: dict[str, HostState] = {}
    asked = {one.host: one.how for one in state.asked}
    for host, phase, reason in moves:
        before = changed.get(host) or _host(hosts, host)
        if before.phase not in _STARTS.get(phase, ()) or _is_back(before):
            raise RefusedError(f"{host} is {before.phase}; it cannot go on to {phase}")
        forward = phase is not HostPhase.ROLLING_BACK
        if forward and state.status is not RolloutStatus.RUNNING:
            raise RefusedError(f"the rollout is {state.status}; {host} is not started")
        if phase is HostPhase.FETCHING and before.fetched is not UNSET:
            raise RefusedError(f"{host} was fetched for already")
        if before.phase is HostPhase.SKIPPED and not before.away:
            raise RefusedError(f"{host} was left alone for another reason than being away")
        again = before.phase in (*_AFTER_A_WAY_BACK, HostPhase.SKIPPED) or before.stood
        attempt = before.attempt + (1 if again else 0)
        how = asked.get(host, UNSET)
        changed[host] = replace(
            before,
            phase=phase,
            attempt=attempt,
            since=now,
            reason=reason,
            way_back=how,
            away=UNSET,
            stood=Stood(before.phase, before.way_back) if how else UNSET,
        )
    if not changed:
        return state
    left = tuple(one for one in state.asked if one.host not in changed)
    return replace(state, hosts=tuple((hosts | changed).values()), asked=left)


def ask_back(state: RolloutState, asked: Sequence[AskedBack]) -> RolloutState:
    """Have hosts go back, in this order, as there is room. Those of an earlier request that have
    not been started are dropped. Raises :class:`RefusedError` for one that was not patched."""
    hosts = _by_name(state)
    for one in asked:
        before = _host(hosts, one.host)
        if before.phase not in _STARTS[HostPhase.ROLLING_BACK] or _is_back(before):
            raise RefusedError(f"{one.host} is {before.phase}; there is nothing to take back")
    return replace(state, asked=tuple(asked))


def _is_back(host: HostState) -> bool:
    """Whole, so that nothing is left to take back."""
    return host.phase is HostPhase.ROLLED_BACK and not (host.way_back and host.way_back.is_partial)


def hosts_finished(state: RolloutState, moves: Iterable[Move], now: datetime) -> RolloutState:
    """:func:`host_finished` for many at once. Where a way back that a person asked for goes wrong,
    those that wait for theirs are not begun any more."""
    hosts = _by_name(state)
    changed: dict[str, HostState] = {}
    asked = state.asked
    for host, phase, reason in moves:
        before = changed.get(host) or _host(hosts, host)
        if before.phase is phase:
            continue
        changed[host] = host_ended(before, phase, reason, now)
        if drops_asked(before, phase):
            asked = ()
    if not changed:
        return state
    return replace(state, hosts=tuple((hosts | changed).values()), asked=asked)


def host_ended(
    before: HostState,
    phase: HostPhase,
    reason: str,
    now: datetime,
    *,
    suspects: Sequence[str] = (),
    away: bool = False,
    refused: bool = False,
    fetched: bool = True,
) -> HostState:
    """:func:`host_finished` for the host alone, from another phase. A way back that was
    ``refused`` leaves it as it stood, to be asked again; ``fetched`` tells, of one that goes back
    to WAITING, whether its packages are there."""
    if refused and before.phase is HostPhase.ROLLING_BACK and before.stood:
        stood = before.stood
        return replace(before, phase=phase, way_back=stood.way_back, since=now, reason=reason)
    if before.phase not in _ENDS.get(phase, ()):
        raise RefusedError(f"{before.host} is {before.phase}; it cannot have ended as {phase}")
    after = replace(before, phase=phase, since=now, reason=reason)
    if phase is HostPhase.WAITING:
        return replace(after, fetched=fetched)
    if suspects or away:
        after = replace(after, suspects=tuple(suspects) or UNSET, away=away or UNSET)
    return after


def drops_asked(before: HostState, phase: HostPhase) -> bool:
    """Whether after this end no other hosts that a person asked for are taken back."""
    failed = phase in (HostPhase.ROLLBACK_FAILED, HostPhase.LOST)
    return before.way_back is not UNSET and failed


def hold_back(state: RolloutState, held: HeldBack) -> RolloutState:
    """What failed is installed on no other host. Holding it back twice changes nothing."""
    if any((one.source, one.version) == (held.source, held.version) for one in state.held_back):
        return state
    return replace(state, held_back=(*state.held_back, held))


def leave_out(state: RolloutState, hosts: Iterable[tuple[str, str]], now: datetime) -> RolloutState:
    """Hosts that wait, each with the reason, are skipped."""
    known = _by_name(state)
    skipped: dict[str, HostState] = {}
    for name, reason in hosts:
        if _host(known, name).phase is not HostPhase.WAITING:
            raise RefusedError(f"{name} is {known[name].phase}; it cannot be left out any more")
        skipped[name] = HostState(name, HostPhase.SKIPPED, 0, now, reason)
    return _with_hosts(state, skipped)


def look_begun(state: RolloutState, wave: int, now: datetime) -> RolloutState:
    """The wave is being looked at; recorded before it is done, like the work on a host."""
    gate = _gate(state, wave)
    if gate.is_looking or gate.verdict is not None:
        raise RefusedError(f"wave {wave} is not to be looked at now")
    return _with_gate(state, replace(gate, begun=gate.begun + 1, begun_at=now))


def look_done(
    state: RolloutState, wave: int, number: int, verdict: Verdict | None, reason: str
) -> RolloutState:
    """The look of this number was taken, and led to a verdict or to none yet. A look that is not
    the one under way changes nothing."""
    gate = _gate(state, wave)
    if not gate.is_looking or number != gate.done:
        return state
    return _with_gate(state, replace(gate, done=gate.begun, verdict=verdict, reason=reason))


def _gate(state: RolloutState, wave: int) -> GateState:
    return next((gate for gate in state.gates if gate.wave == wave), GateState(wave))


def _with_gate(state: RolloutState, gate: GateState) -> RolloutState:
    others = (one for one in state.gates if one.wave != gate.wave)
    return replace(state, gates=(*others, gate))


def close_wave(state: RolloutState, index: int, now: datetime) -> RolloutState:
    """The wave is finished; its soak begins. Closing it twice changes nothing."""
    if any(wave.index == index for wave in state.closed):
        return state
    return replace(state, closed=(*state.closed, ClosedWave(index, now)))


def pause(state: RolloutState, reason: str, take_back: tuple[int, ...] = ()) -> RolloutState:
    """Stop starting hosts, and take back those of the waves in ``take_back``. A rollout that is
    not running stays as it is."""
    if state.status is not RolloutStatus.RUNNING:
        return state
    return replace(state, status=RolloutStatus.PAUSED, reason=reason, taking_back=take_back)


def finish(state: RolloutState) -> RolloutState:
    """Nothing is left to do. An aborted rollout stays aborted."""
    if state.status is RolloutStatus.ABORTED:
        return state
    return replace(state, status=RolloutStatus.DONE, reason="")


def _by_name(state: RolloutState) -> dict[str, HostState]:
    return {host.host: host for host in state.hosts}


def _host(hosts: Mapping[str, HostState], name: str) -> HostState:
    if name not in hosts:
        raise RefusedError(f"{name} is not a host of this rollout")
    return hosts[name]


def _with_hosts(state: RolloutState, changed: dict[str, HostState]) -> RolloutState:
    if not changed:
        return state
    return replace(state, hosts=tuple((_by_name(state) | changed).values()))
