"""What the looks at a ring amount to: whether the next may follow it.

Patched hosts are compared with hosts of later waves, which go through the same hours unpatched.
What lies between two looks is a window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec import UNSET
from msgspec.structs import replace

from suture.core.documents import Document
from suture.core.evidence import Better, Verdict
from suture.core.judging import HostSamples, Judgement, Levels, Measure, judge_hosts, sum_up
from suture.core.planning.gates import WINDOWS, Canary, Gate
from suture.core.planning.plan import Plan, Wave
from suture.core.rollout.gates import Look, Reading, sides
from suture.core.rollout.state import HostPhase, RolloutState

_MIB_FLOOR, _SHARE_FLOOR, _LOAD_FLOOR, _ERRORS_FLOOR = 64.0, 0.1, 0.5, 1.0


class Judged(Document, frozen=True):
    """A gate's verdict and what it rests on."""

    wave: int
    verdict: Verdict
    reason: str
    judgements: tuple[Judgement, ...] = ()


_BUILT_IN = (
    Measure("CPU", "cores", Better.LOWER, 0.0, _SHARE_FLOOR),
    Measure("memory", "MiB", Better.LOWER, 0.0, _MIB_FLOOR),
    Measure("load", "", Better.LOWER, 0.0, _LOAD_FLOOR),
    Measure("disk", "busy", Better.LOWER, 0.0, _SHARE_FLOOR),
    Measure("network errors", "/s", Better.LOWER, 0.0, _ERRORS_FLOOR),
)


def measures(canary: Canary) -> tuple[Measure, ...]:
    """What is compared. Numbers of ``floor`` and less count as that much, so that a host that does
    next to nothing neither fails for doing twice of it nor cannot be judged."""
    own = [Measure(one.name, "", one.better, 0.0, one.floor) for one in canary.queries]
    return tuple(replace(one, min_effect=canary.min_effect) for one in own or _BUILT_IN)


def verdict_of(plan: Plan, state: RolloutState, wave: Wave, looks: Sequence[Look]) -> Judged | None:
    """What the looks so far amount to: None where more are to come and nothing is wrong."""
    assert wave.gate is not UNSET
    gate, last = wave.gate, looks[-1]
    after = last.number >= gate.looks_before
    if after and last.alerts:
        return Judged(wave.index, Verdict.FAIL, f"alerts fire: {', '.join(last.alerts[:5])}")
    if last.problem:
        return Judged(wave.index, Verdict.INCONCLUSIVE, last.problem)
    if last.number + 1 < gate.looks(wave.soak_s):
        return None
    if gate.canary is None:
        return Judged(wave.index, Verdict.PASS, "no alert fired")
    judgements = _judged(plan, state, wave, gate, gate.canary, looks)
    verdict, reason = sum_up(judgements)
    return Judged(wave.index, verdict, reason or "as before, beside hosts not patched", judgements)


def _judged(
    plan: Plan,
    state: RolloutState,
    wave: Wave,
    gate: Gate,
    canary: Canary,
    looks: Sequence[Look],
) -> tuple[Judgement, ...]:
    well = {host.host for host in state.hosts if host.phase is HostPhase.DONE}
    untouched = {host.host for host in state.hosts if host.phase.is_to_come}
    patched, controls = sides(plan, wave)
    before = _by_host(look for look in looks if look.number < gate.looks_before)
    after = _by_host(look for look in looks if look.number >= gate.looks_before)
    compared = measures(canary)
    levels = Levels.of(measures=len(compared), looks=1)
    return tuple(
        judge_hosts(
            replace(measure, floor=0.0, windows=WINDOWS),
            _samples(measure, [host for host in patched if host in well], before, after),
            _samples(measure, [host for host in controls if host in untouched], before, after),
            levels=levels,
        )
        for measure in compared
    )


def _by_host(looks: Iterable[Look]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {}
    for look in looks:
        for reading in look.readings:
            found.setdefault(reading.host, []).append(reading)
    return found


def _samples(
    measure: Measure,
    hosts: Iterable[str],
    before: Mapping[str, Sequence[Reading]],
    after: Mapping[str, Sequence[Reading]],
) -> list[HostSamples]:
    """Of the hosts with enough windows on both sides: one that did not answer is no evidence."""
    found = []
    for host in hosts:
        one = HostSamples(
            windows(measure, before.get(host, ())), windows(measure, after.get(host, ()))
        )
        if min(len(one.before), len(one.after)) >= WINDOWS:
            found.append(one)
    return found


def windows(measure: Measure, readings: Sequence[Reading]) -> tuple[float, ...]:
    """One value for each pair of readings; a counter that began anew is left out."""
    values = []
    for earlier, later in pairwise(readings):
        if measure.name in later.gauges:
            values.append(later.gauges[measure.name])
            continue
        if measure.name not in later.counters or measure.name not in earlier.counters:
            continue
        passed = later.uptime_s - earlier.uptime_s
        grown = later.counters[measure.name] - earlier.counters[measure.name]
        if passed > 0 and grown >= 0:
            values.append(grown / passed)
    return tuple(max(value, 0.0) + measure.floor for value in values)
