"""To which hosts packages may be brought ahead of their start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import UNSET

from suture.core.planning.plan import Plan, Wave
from suture.core.planning.windows import Span
from suture.core.rollout.state import HostPhase, HostState, RolloutState


def due(
    plan: Plan,
    state: RolloutState,
    by_name: Mapping[str, HostState],
    now: datetime,
    window: Callable[[str], Span | None],
) -> Iterator[tuple[Wave, str]]:
    """The hosts that wait, have not been tried, and may start within the plan's time ahead, in the
    order of the waves. ``window`` is the next that admits a host."""
    if not plan.predownload_s:
        return
    until = now + timedelta(seconds=plan.predownload_s)
    for wave, ready in _earliest(plan, state, now):
        if ready > until:
            return
        for name in wave.hosts:
            host = by_name[name]
            if host.phase is HostPhase.WAITING and host.fetched is UNSET:
                span = window(name)
                if span is not None and span.opens <= until:
                    yield wave, name


def _earliest(plan: Plan, state: RolloutState, now: datetime) -> Iterator[tuple[Wave, datetime]]:
    """Each wave that is not closed, in order, and before when it does not start: the soaks that
    are still to come are the least that it waits for."""
    closed = {wave.index: wave.at for wave in state.closed}
    ready = now
    for wave in plan.waves:
        soak = timedelta(seconds=wave.soak_s)
        if wave.index in closed:
            ready = max(now, closed[wave.index] + soak)
        else:
            yield wave, ready
            ready += soak
