"""The way forward of a running rollout: what it starts next, and why the rest waits or it stops."""

from __future__ import annotations

from datetime import datetime, timedelta

from suture.core.evidence import Verdict
from suture.core.planning.plan import OnFailure, Wave
from suture.core.planning.windows import Span
from suture.core.rollout import fetching
from suture.core.rollout.approvals import standing
from suture.core.rollout.closing import shown_too_little
from suture.core.rollout.gates import next_look, state_of
from suture.core.rollout.holding import bringing, to_hold_back
from suture.core.rollout.state import ActionKind, HostPhase, NextAction
from suture.core.rollout.tick import Tick, wait

_NO_WINDOW = "no window admits them within a year"
_WAIT = "between two hosts"  # no name of a window has a space


def advance(tick: Tick, way_back_given: bool) -> tuple[NextAction, ...]:
    """The way forward of a running rollout."""
    if held := holds(tick):
        return held
    trouble = _trouble(tick)
    if trouble:
        return (trouble,)
    if again := _catch_ups(tick):
        return again
    busy = bool(tick.at_work or tick.to_take_back)
    if tick.wave is None:
        finish = NextAction(ActionKind.FINISH, "every wave is closed")
        return (wait(f"{len(tick.at_work)} at work") if busy else finish,)
    gate = _gate(tick, tick.wave)
    if gate is not None:
        return (gate,)
    starts, refused, later = _starts(tick, tick.wave)
    if starts:
        return starts
    if busy:
        why = "; ".join(sorted(set(refused.values()))[:3])
        return () if way_back_given else (wait(why or f"{len(tick.at_work)} at work"),)
    if later:
        return (_wait_for_window(tick.wave, later),)
    if tick.fetching and (refused or not set(tick.wave.hosts).isdisjoint(tick.fetching)):
        return (wait(f"{len(tick.fetching)} still fetch their packages", tick.wave.index),)
    if refused and tick.elsewhere.is_busy:
        why = "; ".join(sorted(set(refused.values()))[:3])
        return (NextAction(ActionKind.WAIT, why, wave=tick.wave.index, elsewhere=True),)
    return (_stuck_or_done(tick, tick.wave, refused),)


def fetches(tick: Tick) -> tuple[NextAction, ...]:
    """The hosts to which their packages are brought now, ahead of their start."""
    actions = []
    for wave, host in fetching.due(tick.plan, tick.state, tick.by_name, tick.now, tick.window):
        if host not in tick.held and not tick.room.fetch_refusal(host, wave.parallel):
            tick.room.fetch(host)
            ahead = f"ahead of {wave.ring}"
            actions.append(NextAction(ActionKind.FETCH_HOST, ahead, host=host, wave=wave.index))
    return tuple(actions)


def stuck(tick: Tick) -> dict[str, str]:
    """The hosts that wait for room which nothing at work will make, and why."""
    if tick.wave is None or tick.at_work or tick.fetching or tick.to_take_back:
        return {}
    if _gate(tick, tick.wave):
        return {}
    starts, refused, later = _starts(tick, tick.wave)
    return {} if starts or later else refused


def holds(tick: Tick) -> tuple[NextAction, ...]:
    """What failed on a host is held back, and the hosts that wait for it are left out."""
    fresh = to_hold_back(tick.state, tick.contained, tick.by_name)
    actions = [
        NextAction(
            ActionKind.HOLD_BACK,
            f"{held.source} {held.version} is installed on no other host: {held.reason}",
            held=held,
        )
        for held in fresh
    ]
    for host, held in (tick.held | bringing(tick.plan, fresh)).items():
        if tick.by_name[host].phase is HostPhase.WAITING:
            reason = f"{held.source} {held.version} is held back: {held.reason}"
            actions.append(NextAction(ActionKind.LEAVE_OUT, reason, host=host))
    return tuple(actions)


def _trouble(tick: Tick) -> NextAction | None:
    """The PAUSE where the rollout has to stop, None where it need not."""
    for wave, hosts in zip(tick.plan.waves, tick.failed, strict=True):
        failed = [host for host in hosts if host.host not in tick.contained]
        limit = 0 if tick.plan.on_failure(wave) is OnFailure.PAUSE else wave.max_failures
        if len(failed) > limit:
            causes = "; ".join(f"{h.host} {h.phase}: {h.reason}" for h in failed[:3])
            return _give_up(
                tick, wave, f"{len(failed)} failed in {wave.ring}, {limit} may: {causes}"
            )
        gate = state_of(tick.state, wave) if wave.gate else None
        if gate is not None and gate.holds:
            problem = f"the gate of {wave.ring} is {gate.verdict}: {gate.reason}"
            if gate.verdict is Verdict.FAIL:
                return _give_up(tick, wave, problem)
            return NextAction(ActionKind.PAUSE, problem, wave=wave.index)
        if wave is tick.wave:
            break
    return None


def _give_up(tick: Tick, wave: Wave, reason: str) -> NextAction:
    """The PAUSE after what went wrong in the wave, with what is taken back for it."""
    take_back: tuple[int, ...] = (wave.index,)
    match tick.plan.on_failure(wave):
        case OnFailure.ROLL_BACK_WAVE:
            what = f"the patched hosts of {wave.ring} are taken back"
        case OnFailure.ROLL_BACK_ALL:
            take_back = tuple(one.index for one in tick.plan.waves)
            what = "all patched hosts are taken back"
        case _:
            return NextAction(ActionKind.PAUSE, reason, wave=wave.index)
    return NextAction(ActionKind.PAUSE, f"{reason}; {what}", wave=wave.index, take_back=take_back)


def _gate(tick: Tick, wave: Wave) -> NextAction | None:
    """The WAIT before the wave may start, None when it may."""
    position = tick.plan.waves.index(wave)
    if position > 0:
        before = tick.plan.waves[position - 1]
        closed_at = next(c.at for c in tick.state.closed if c.index == before.index)
        until = closed_at + timedelta(seconds=before.soak_s)
        looks = _looks_after(tick, before)
        if looks is not None and looks.kind is ActionKind.LOOK:
            return looks
        if tick.now < until:
            if looks is not None and looks.until is not None:
                until = min(until, looks.until)
            return wait(f"{before.ring} soaks before {wave.ring}", wave.index, until)
        if looks is not None:
            return looks
    waits = standing(tick.plan, tick.state, tick.now).missing(wave)
    if waits and all(tick.by_name[host].phase.is_to_come for host in wave.hosts):
        return wait(waits, wave.index)
    return _looks_before(tick, wave) or _crowd(tick, wave) or _pace(tick, wave)


def _crowd(tick: Tick, wave: Wave) -> NextAction | None:
    """The WAIT where other rollouts leave no place in the fleet."""
    left = tick.elsewhere.left
    if left is None or left > len(tick.at_work) or not tick.elsewhere.is_busy:
        return None
    count = len(tick.elsewhere.at_work) + len(tick.elsewhere.fetching)
    busy = f"{count} hosts of other rollouts are at work"
    reason = f"{busy}, {tick.elsewhere.most} may be in all"
    return NextAction(ActionKind.WAIT, reason, wave=wave.index, elsewhere=True)


def _pace(tick: Tick, wave: Wave) -> NextAction | None:
    """The WAIT where as many hosts as may be were started within a minute."""
    opens = tick.pace.opens
    if opens is None:
        return None
    waiting = any(tick.by_name[host].phase is HostPhase.WAITING for host in wave.hosts)
    if not waiting and not any(due <= tick.now for due in tick.away.values()):
        return None
    return wait(tick.pace.refusal(), wave.index, opens)


def _looks_before(tick: Tick, wave: Wave) -> NextAction | None:
    """The LOOK at a wave that has not begun, or the WAIT for it, None where there were all."""
    if not wave.gate or any(not tick.by_name[host].phase.is_to_come for host in wave.hosts):
        return None
    return next_look(wave, state_of(tick.state, wave), wave.gate.looks_before, tick.now)


def _looks_after(tick: Tick, wave: Wave) -> NextAction | None:
    """The same while it soaks."""
    if not wave.gate:
        return None
    looks = wave.gate.looks(wave.soak_s)
    return next_look(wave, state_of(tick.state, wave), looks, tick.now)


def _starts(
    tick: Tick, wave: Wave
) -> tuple[tuple[NextAction, ...], dict[str, str], dict[str, Span]]:
    """The hosts to start now, those for which there is no room and why, and the windows for
    which the rest waits: of those behind the last place nothing is said where others start. A
    window gives no room: who has none does not wait for one."""
    starts: list[NextAction] = []
    refused: dict[str, str] = {}
    later: dict[str, Span] = {}
    ready = tick.one_by_one(wave)
    full = ""
    for host in wave.hosts:
        if (full or wave.wait_s) and starts:
            break
        if tick.by_name[host].phase is not HostPhase.WAITING:
            continue
        span = tick.window(host)
        if span is None:
            refused[host] = _NO_WINDOW
        elif why := full or tick.room.refusal(host):
            refused[host] = why
            full = tick.room.full()
        elif span.opens > tick.now:
            later[host] = span
        elif ready > tick.now:
            later[host] = Span(_WAIT, ready, span.closes)
        else:
            tick.room.start(host)
            starts.append(NextAction(ActionKind.START_HOST, wave.ring, host=host, wave=wave.index))
    return tuple(starts), refused, later


def _wait_for_window(wave: Wave, later: dict[str, Span]) -> NextAction:
    first = min(later.values(), key=lambda span: span.opens)
    if first.name == _WAIT:
        reason = f"{wave.ring} waits {wave.wait_s or 0:g} s between two hosts"
        return wait(reason, wave.index, first.opens)
    name = f"window {first.name}" if first.name else "the end of a freeze"
    count = f"{len(later)} host{'' if len(later) == 1 else 's'}"
    reason = f"{count} of {wave.ring} wait for {name} at {first.opens:%Y-%m-%d %H:%M} UTC"
    return wait(reason, wave.index, first.opens)


def _catch_ups(tick: Tick) -> tuple[NextAction, ...]:
    """Hosts that were away, of this wave and those before it, that are tried again now."""
    if not tick.away or tick.wave is None:
        return ()
    starts: list[NextAction] = []
    for host, due in tick.away.items():
        wave = tick.plan.waves[tick.plan.wave_of[host]]
        if wave.wait_s and (starts or tick.one_by_one(wave) > tick.now):
            continue
        span = tick.window(host) if tick.now >= due else None
        if span is not None and span.opens <= tick.now and not tick.room.refusal(host):
            tick.room.start(host)
            reason = f"{wave.ring}, tried again"
            starts.append(NextAction(ActionKind.START_HOST, reason, host=host, wave=wave.index))
    return tuple(starts)


def _next_try(tick: Tick, wave: Wave) -> datetime | None:
    """When the first of the wave's hosts that are away is tried again."""
    return min((tick.away[host] for host in wave.hosts if host in tick.away), default=None)


def _stuck_or_done(tick: Tick, wave: Wave, refused: dict[str, str]) -> NextAction:
    """Nothing is at work: the wave is at its end, or cannot come to it."""
    if refused:
        why = "; ".join(sorted(set(refused.values()))[:3])
        problem = f"no room for {len(refused)} hosts of {wave.ring} ({why}): "
        remedy = "bring those back, or resume to leave these out"
        return NextAction(ActionKind.PAUSE, problem + remedy, wave=wave.index)
    problem = shown_too_little(wave, tick.state, tick.by_name, tick.held)
    if not problem:
        return NextAction(ActionKind.CLOSE_WAVE, f"{wave.ring} is through", wave=wave.index)
    due = _next_try(tick, wave)
    if due is not None and due > tick.now:
        return wait(f"hosts of {wave.ring} that are away are tried again", wave.index, due)
    return NextAction(ActionKind.PAUSE, problem, wave=wave.index)
