"""Defects on purpose: a controller that breaks one promise, for the test that it is noticed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from suture.core.evidence import Step
from suture.core.rollout import limits, progress, transitions
from suture.core.rollout.state import RolloutState, RolloutStatus
from suture.engine import records, ticks, work


def become(mutant: str) -> None:
    """The defect of that name in this process; none for an empty one."""
    if mutant:
        _MUTANTS[mutant]()


def _without_limits() -> None:
    """Services may be out as a whole."""
    limits.Room.refusal = lambda self, host: ""  # type: ignore[method-assign]


def _deaf_to_pause() -> None:
    """Goes on whatever the rollout's status is."""
    ask, carry = progress.next_actions, transitions.carried_out

    def running(state: RolloutState) -> RolloutState:
        paused = state.status is RolloutStatus.PAUSED
        return replace(state, status=RolloutStatus.RUNNING) if paused else state

    def asked(plan: Any, state: RolloutState, *rest: Any) -> Any:
        return ask(plan, running(state), *rest)

    def carried_out(state: RolloutState, actions: Any, now: datetime) -> RolloutState:
        after = carry(running(state), actions, now)
        return replace(after, status=state.status) if running(after) == after else after

    ticks.next_actions = asked  # type: ignore[assignment, attr-defined]
    transitions.carried_out = carried_out


def _without_bundle() -> None:
    """Applies without the way back."""
    steps: Any = vars(work.HostWork)["steps"]

    def kept(one: work.HostWork) -> tuple[Step, ...]:
        return tuple(step for step in steps.fget(one) if step is not Step.BUNDLE)

    work.HostWork.steps = property(kept)  # type: ignore[method-assign, assignment]


def _believes_in_success() -> None:
    """Tells the store that all went well, whatever the host said."""
    finish: Callable[..., bool] = records.finish_host

    def well(connection: Any, one: Any, phase: Any, *rest: Any, **more: Any) -> bool:
        phase = type(phase)("rolled-back" if one.way_back else "done")
        return finish(connection, one, phase, *rest, **more)

    records.finish_host = well  # type: ignore[assignment]


_MUTANTS = {
    "without-limits": _without_limits,
    "deaf-to-pause": _deaf_to_pause,
    "without-bundle": _without_bundle,
    "believes-in-success": _believes_in_success,
}
