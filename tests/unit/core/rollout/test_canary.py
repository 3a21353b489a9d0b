"""What looks at a wave amount to."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from msgspec.structs import replace

from suture.core.evidence import Better, Verdict
from suture.core.judging import Measure
from suture.core.planning.gates import Alerts, Canary, Gate, Query, Source
from suture.core.planning.plan import Plan
from suture.core.rollout.canary import measures, verdict_of, windows
from suture.core.rollout.gates import Look, Reading
from suture.core.rollout.state import HostPhase, RolloutState
from suture.core.rollout.transitions import start
from tests.unit.core.builders import NOW, plan, wave

GATE = Gate(30.0, Canary(Source.PROC, 0.25))
PATCHED, CONTROLS = ["a", "b", "c"], ["d", "e", "f", "g"]


def soaked(gate: Gate) -> tuple[Plan, RolloutState]:
    whole = plan([wave(0, PATCHED, gate=gate, soak_s=240.0), wave(1, CONTROLS)])
    state = start(whole, "r")
    hosts = [
        replace(host, phase=HostPhase.DONE) if host.host in PATCHED else host
        for host in state.hosts
    ]
    return whole, replace(state, hosts=tuple(hosts))


def looks(*, harm: float = 1.0, silent: tuple[str, ...] = ()) -> list[Look]:
    """18 looks; a host has two cores busy, ``harm`` times that where it is patched."""
    draw = random.Random(7)
    cpu = dict.fromkeys([*PATCHED, *CONTROLS], 1000.0)
    taken = []
    for number in range(18):
        after = number >= 9
        readings = []
        for host in cpu:
            factor = harm if after and host in PATCHED else 1.0
            cpu[host] += 30 * 2.0 * factor * draw.gauss(1, 0.02)
            if host not in silent:
                counters = {"CPU": cpu[host], "disk": 5.0, "network errors": 0.0}
                gauges = {"memory": 2000.0 * draw.gauss(1, 0.001), "load": 0.01}
                readings.append(Reading(host, 500.0 + 30 * number, counters, gauges))
        at = NOW + timedelta(seconds=30 * number)
        taken.append(Look(0, number, at, tuple(readings)))
    return taken


def verdict(gate: Gate, taken: list[Look]) -> Verdict | None:
    whole, state = soaked(gate)
    judged = verdict_of(whole, state, whole.waves[0], taken)
    return judged.verdict if judged else None


def test_what_did_not_change_passes_though_a_host_does_nothing() -> None:
    whole, state = soaked(GATE)
    judged = verdict_of(whole, state, whole.waves[0], looks())
    assert judged is not None
    assert judged.verdict is Verdict.PASS
    assert [one.measure.name for one in judged.judgements] == [
        "CPU",
        "memory",
        "load",
        "disk",
        "network errors",
    ]


def test_a_host_that_needs_more_for_the_same_fails() -> None:
    whole, state = soaked(GATE)
    judged = verdict_of(whole, state, whole.waves[0], looks(harm=1.8))
    assert judged is not None
    assert judged.verdict is Verdict.FAIL
    assert judged.reason.startswith("CPU: +")


def test_there_is_no_verdict_before_the_last_look() -> None:
    assert verdict(GATE, looks(harm=1.8)[:17]) is None


def test_without_hosts_to_compare_with_nothing_is_known() -> None:
    assert verdict(GATE, looks(silent=("d", "e", "f"))) is Verdict.INCONCLUSIVE
    assert verdict(GATE, looks(silent=("a", "b", "c"))) is Verdict.INCONCLUSIVE


def test_a_host_that_was_patched_meanwhile_is_no_control() -> None:
    whole, state = soaked(GATE)
    hosts = tuple(replace(host, phase=HostPhase.DONE) for host in state.hosts)
    judged = verdict_of(whole, replace(state, hosts=hosts), whole.waves[0], looks())
    assert judged is not None
    assert judged.verdict is Verdict.INCONCLUSIVE


ALERTS = Gate(120.0, alerts=Alerts("http://127.0.0.1:9093"))


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (Look(0, 0, NOW, alerts=("HostDown",)), Verdict.FAIL),
        (Look(0, 0, NOW, problem="it does not answer"), Verdict.INCONCLUSIVE),
        (Look(0, 0, NOW), None),
        (Look(0, 2, NOW), Verdict.PASS),
    ],
)
def test_alerts_have_to_be_quiet_at_every_look(last: Look, expected: Verdict | None) -> None:
    assert verdict(ALERTS, [last]) is expected


CPU = Measure("CPU", "cores", Better.LOWER, 0.25, 0.1)


def _counted(*values: tuple[float, float]) -> list[Reading]:
    return [Reading("a", uptime, {"CPU": cpu}, {}) for uptime, cpu in values]


def test_a_window_is_what_lies_between_two_looks_and_a_reboot_is_none() -> None:
    readings = _counted((100, 10), (130, 40), (5, 1), (35, 31))
    assert windows(CPU, readings) == pytest.approx((1.1, 1.1))
    assert windows(CPU, _counted((100, 10))) == ()
    assert windows(CPU, [Reading("a", 1.0, {}, {})] * 3) == ()


def test_queries_are_measured_by_their_own_names() -> None:
    query = Query(name="requests", query="x", better=Better.HIGHER, floor=2.0)
    canary = Canary(Source.PROMETHEUS, 0.1, queries=(query,))
    (only,) = measures(canary)
    assert (only.name, only.better, only.min_effect) == ("requests", Better.HIGHER, 0.1)
    readings = [Reading("a", 0.0, {}, {"requests": 5.0})] * 3
    assert windows(only, readings) == (7.0, 7.0)
