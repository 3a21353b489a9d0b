"""Following a rollout that others drive."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from suture.core.evidence import Event
from suture.engine import membership, ticks
from suture.engine.membership import HEARTBEAT_S
from suture.store import events, workers
from suture.store.database import Store

_BEAT_S = 0.5
_PROOF_S = 3 * HEARTBEAT_S


def follow(
    store: Store,
    rollout: str,
    *,
    on_event: Callable[[Event], None],
    on_tick: Callable[[ticks.Tick], None],
) -> ticks.Tick | None:
    """Until the rollout is settled; None as soon as no process is alive that drives all rollouts.

    Whoever is listed is waited for until its heart was seen beating, but not for long.
    """
    watch = membership.Watch()
    until = time.monotonic() + _PROOF_S
    plan = None
    seen = 0
    while True:
        with store.read() as connection:
            listed = workers.listing(connection)
        drivers = [one for one in watch.alive(listed) if not one.drives]
        proved = any(watch.is_proved(one) for one in drivers)
        if not drivers or (not proved and time.monotonic() > until):
            return None
        if proved:
            plan = plan or ticks.load_plan(store, rollout)
            with store.read() as connection:
                fresh = list(events.stream(connection, subject=rollout, after=seen))
            for event in fresh:
                on_event(event)
                seen = event.seq
            tick = ticks.look(store, plan, rollout, datetime.now(UTC))
            on_tick(tick)
            if tick.is_settled:
                return tick
        time.sleep(_BEAT_S)
