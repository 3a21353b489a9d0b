"""When a ring is looked at, and at which of its hosts; :mod:`canary` says what the looks amount to.

Looks are taken before a wave starts and while it soaks: each is a row, so no thread waits for the
next one, and whoever drives the rollout goes on with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import UNSET

from suture.core.documents import Document
from suture.core.planning.plan import Plan, Wave
from suture.core.rollout.state import (
    ActionKind,
    GateState,
    NextAction,
    RolloutState,
)

MOST_HOSTS = 32
"""Of each side that are looked at: more would tell little more."""


class Reading(Document, frozen=True, array_like=True):
    """What one host used, by the name of the measure: ``counters`` only grow while it is up for
    ``uptime_s`` seconds, ``gauges`` are as they were."""

    host: str
    uptime_s: float
    counters: Mapping[str, float]
    gauges: Mapping[str, float]


class Look(Document, frozen=True):
    """One look at a wave. ``alerts`` are those that fire; ``problem`` says why they, or the
    numbers as a whole, could not be had."""

    wave: int
    number: int
    at: datetime
    readings: tuple[Reading, ...] = ()
    alerts: tuple[str, ...] = ()
    problem: str = ""


def sides(plan: Plan, wave: Wave) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The hosts of the wave to look at, and those of later waves to compare them with: of the same
    class or service first."""
    classes = {plan.host(host).class_id for host in wave.hosts}
    services = {plan.host(host).service for host in wave.hosts} - {None}
    later = [host for one in plan.waves if one.index > wave.index for host in one.hosts]

    def is_other(host: str) -> tuple[bool, bool]:
        planned = plan.host(host)
        return planned.class_id not in classes, planned.service not in services

    return wave.hosts[:MOST_HOSTS], tuple(sorted(later, key=is_other)[:MOST_HOSTS])


def state_of(state: RolloutState, wave: Wave) -> GateState:
    found = (gate for gate in state.gates if gate.wave == wave.index)
    return next(found, GateState(wave.index))


def next_look(wave: Wave, gate: GateState, upto: int, now: datetime) -> NextAction | None:
    """The LOOK that is due or the WAIT for it; None once there were ``upto`` looks or a verdict."""
    assert wave.gate is not UNSET
    if gate.verdict is not None or gate.done >= upto:
        return None
    if gate.begun > gate.done:
        return NextAction(ActionKind.WAIT, f"{wave.ring} is being looked at", wave=wave.index)
    if gate.begun_at is not None:
        due = gate.begun_at + timedelta(seconds=wave.gate.every_s)
        if now < due and gate.begun != wave.gate.looks_before:
            reason = f"look {gate.begun + 1} of {upto} at {wave.ring}"
            return NextAction(ActionKind.WAIT, reason, wave=wave.index, until=due)
    return NextAction(
        ActionKind.LOOK, f"look {gate.begun + 1} at {wave.ring}", wave=wave.index, look=gate.begun
    )
