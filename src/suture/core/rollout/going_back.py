"""The ways back of a rollout: of what failed, of what it gives up, and of what a person asks for.

They are given whether the rollout runs or not, within the limits of services and jump hosts.
"""

from __future__ import annotations

from suture.core.rollout.state import ActionKind, HostPhase, NextAction
from suture.core.rollout.tick import Tick, wait

_GIVEN_UP = "well, and taken back with the others"


def ways_back(tick: Tick) -> tuple[NextAction, ...]:
    """Those of failed hosts first, then those of patched ones that the rollout gives up."""
    actions = []
    for host in tick.to_take_back:
        if not tick.room.jump_refusal(host):
            tick.room.go_to_work(host)
            reason = tick.by_name[host].reason
            actions.append(NextAction(ActionKind.ROLL_BACK_HOST, reason, host=host))
    for host in tick.to_undo:
        wave = tick.plan.waves[tick.plan.wave_of[host]]
        if why := tick.room.way_back_refusal(host, wave.parallel, is_out=False):
            tick.no_room[host] = why
        else:
            tick.room.take(host, at_work=True)
            actions.append(NextAction(ActionKind.ROLL_BACK_HOST, _GIVEN_UP, host=host))
    return tuple(actions)


def asked_back(tick: Tick) -> tuple[NextAction, ...]:
    """The next of the hosts that a person asked back: one wave after the other, within the
    limits of each wave, the services and the jump hosts, and why the others wait."""
    asked = tick.state.asked
    returning = [host for host in tick.at_work if _goes_back(tick, host)]
    first = min(
        map(tick.plan.wave_of.__getitem__, (*returning, *(a.host for a in asked))), default=0
    )
    parallel = tick.plan.waves[first].parallel if asked else 0
    actions = []
    refused: dict[str, str] = {}
    for one in asked:
        is_out = tick.by_name[one.host].phase.is_out
        if tick.plan.wave_of[one.host] != first:
            refused[one.host] = f"{tick.plan.waves[first].ring} goes back first"
        elif why := tick.room.way_back_refusal(one.host, parallel, is_out=is_out):
            refused[one.host] = why
        else:
            if is_out:
                tick.room.go_to_work(one.host)
            else:
                tick.room.take(one.host, at_work=True)
            actions.append(NextAction(ActionKind.ROLL_BACK_HOST, one.reason, host=one.host))
    if refused:
        why = "; ".join(sorted(set(refused.values()))[:3])
        actions.append(wait(f"{len(refused)} wait to go back: {why}"))
    return tuple(actions)


def left_patched(tick: Tick) -> str:
    """Why hosts that are to be taken back are not, in words; empty where none is."""
    if tick.at_work or not tick.no_room:
        return ""
    why = "; ".join(sorted(set(tick.no_room.values()))[:3])
    return f"; {len(tick.no_room)} are still patched for want of room ({why})"


def _goes_back(tick: Tick, host: str) -> bool:
    return tick.by_name[host].phase is HostPhase.ROLLING_BACK
