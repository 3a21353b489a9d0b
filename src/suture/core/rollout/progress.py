"""The rollout's state machine: (plan, state, now) → what to do next, and why the rest waits.

Pure: the engine loads a state, asks :func:`next_actions`, and carries the answer out. Asking
twice with the same state gives the same answer, so a crash between the two costs nothing.
"""

from __future__ import annotations

from datetime import datetime

from suture.core.planning.plan import Plan
from suture.core.rollout import going_back, going_forward
from suture.core.rollout.limits import Elsewhere
from suture.core.rollout.state import ActionKind, NextAction, RolloutState, RolloutStatus
from suture.core.rollout.tick import Tick, wait


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
    ways_back = (*going_back.ways_back(tick), *going_back.asked_back(tick))
    if state.status is RolloutStatus.RUNNING:
        forward = going_forward.advance(tick, bool(ways_back))
        if ways_back or any(action.kind is not ActionKind.WAIT for action in forward):
            return (*ways_back, *forward)
        return (*going_forward.fetches(tick), *forward)
    left = going_back.left_patched(tick)
    if state.status is RolloutStatus.PAUSED:
        return (*ways_back, *going_forward.holds(tick), wait(f"paused: {state.reason}{left}"))
    going = any(action.kind is ActionKind.ROLL_BACK_HOST for action in ways_back)
    if tick.at_work or tick.fetching or tick.to_take_back or going:
        return (*ways_back, wait("aborted; waiting for the hosts at work"))
    return (NextAction(ActionKind.FINISH, f"aborted: {state.reason}{left}"),)


def asked_back(
    plan: Plan, state: RolloutState, now: datetime, elsewhere: Elsewhere | None = None
) -> tuple[NextAction, ...]:
    """What is left when a rollout is over: the ways back that a person asked for."""
    if not state.asked:
        return ()
    return going_back.asked_back(Tick(plan, state, now, elsewhere))
