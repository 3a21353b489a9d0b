"""Verdicts on what is known to have changed, or not to."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.core.evidence import Verdict
from suture.core.judging import (
    LEVEL,
    Better,
    Block,
    HostSamples,
    Judgement,
    Levels,
    Measure,
    judge_blocks,
    judge_hosts,
    sum_up,
)

LATENCY = Measure("latency", "ms", Better.LOWER, min_effect=0.1)
THROUGHPUT = Measure("throughput", "/s", Better.HIGHER, min_effect=0.1)

Random = np.random.Generator


def _correlated(random: Random, windows: int, rho: float, spread: float = 0.05) -> list[float]:
    value, values = random.normal(), []
    for _ in range(windows):
        value = rho * value + math.sqrt(1 - rho**2) * random.normal()
        values.append(math.exp(spread * value))
    return values


def _blocks(
    random: Random, *, effect: float = 0.0, alternations: int = 2, rho: float = 0.3
) -> list[Block]:
    whole = _correlated(random, 40 * (2 * alternations + 1), rho)
    return [
        Block(n % 2 == 1, tuple(v * (1 + effect * (n % 2)) for v in whole[40 * n : 40 * n + 30]))
        for n in range(2 * alternations + 1)
    ]


def _hosts(random: Random, count: int, effect: float = 0.0) -> list[HostSamples]:
    return [
        HostSamples(
            tuple(_correlated(random, 30, 0.5)),
            tuple(v * (1 + effect) for v in _correlated(random, 30, 0.5)),
        )
        for _ in range(count)
    ]


def _share(verdicts: list[Verdict], verdict: Verdict) -> float:
    return verdicts.count(verdict) / len(verdicts)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("effect", [0.0, 0.1])
def test_no_more_false_alarms_than_the_level_says(rho: float, effect: float) -> None:
    random = np.random.default_rng(7)
    verdicts = [
        judge_blocks(LATENCY, _blocks(random, effect=effect, rho=rho)).verdict for _ in range(400)
    ]
    assert _share(verdicts, Verdict.FAIL) <= LEVEL


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_no_more_misses_than_the_level_says(rho: float) -> None:
    random = np.random.default_rng(8)
    for alternations in (1, 2):
        blocks = [
            _blocks(random, effect=0.1, rho=rho, alternations=alternations) for _ in range(400)
        ]
        assert _share([judge_blocks(LATENCY, one).verdict for one in blocks], Verdict.PASS) <= LEVEL


def test_what_is_plain_is_told() -> None:
    random = np.random.default_rng(9)
    assert judge_blocks(LATENCY, _blocks(random)).verdict is Verdict.PASS
    worse = judge_blocks(LATENCY, _blocks(random, effect=0.5))
    assert worse.verdict is Verdict.FAIL
    assert worse.effect == pytest.approx(0.5, abs=0.1)
    assert worse.low is not None and worse.high is not None and worse.effect is not None
    assert worse.low < worse.effect < worse.high
    assert worse.before == pytest.approx(1.0, abs=0.1)
    assert worse.after == pytest.approx(1.5, abs=0.1)
    assert "beyond +10 %" in worse.reason
    assert judge_blocks(LATENCY, _blocks(random, effect=-0.5)).verdict is Verdict.PASS


def test_less_throughput_is_harm() -> None:
    random = np.random.default_rng(10)
    less = judge_blocks(THROUGHPUT, _blocks(random, effect=-0.4))
    assert less.verdict is Verdict.FAIL
    assert "−9.1 %" in less.reason
    assert judge_blocks(THROUGHPUT, _blocks(random, effect=0.4)).verdict is Verdict.PASS


def test_one_alternation_may_pass_and_never_fails() -> None:
    random = np.random.default_rng(11)
    assert judge_blocks(LATENCY, _blocks(random, alternations=1)).verdict is Verdict.PASS
    for _ in range(50):
        harm = judge_blocks(LATENCY, _blocks(random, effect=1.0, alternations=1))
        assert harm.verdict is Verdict.INCONCLUSIVE


def test_a_drift_is_no_effect() -> None:
    random = np.random.default_rng(12)
    blocks = [
        replace(block, values=tuple(v * 1.15**number for v in block.values))
        for number, block in enumerate(_blocks(random))
    ]
    assert judge_blocks(LATENCY, blocks).effect == pytest.approx(0.0, abs=0.06)


def test_a_step_between_blocks_of_a_kind_is_not_taken_for_the_patch() -> None:
    """A neighbour came while the third block ran: nothing before it was like what followed."""
    random = np.random.default_rng(13)
    blocks = [
        replace(block, values=tuple(v * (1.6 if number > 2 else 1.0) for v in block.values))
        for number, block in enumerate(_blocks(random))
    ]
    assert judge_blocks(LATENCY, blocks).verdict is Verdict.INCONCLUSIVE


def test_a_burst_within_a_block_weighs_little() -> None:
    random = np.random.default_rng(14)
    blocks = _blocks(random)
    burst = tuple(
        value * (5 if 3 < place < 8 else 1) for place, value in enumerate(blocks[1].values)
    )
    blocks[1] = replace(blocks[1], values=burst)
    assert judge_blocks(LATENCY, blocks).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ([], "0 windows are too few"),
        ([Block(False, (1.0,) * 7), Block(True, (1.0,) * 30)], "7 windows are too few"),
        ([Block(False, (1.0, math.nan) * 5), Block(True, (1.0,) * 30)], "5 windows are too few"),
        ([Block(False, (0.0,) * 30), Block(True, (0.0,) * 30)], "most values are zero"),
        ([Block(True, (1.0,) * 30), Block(True, (1.0,) * 30)], "no load from before and after"),
    ],
)
def test_too_little_is_inconclusive(blocks: list[Block], reason: str) -> None:
    judged = judge_blocks(LATENCY, blocks)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert reason in judged.reason
    assert judged.effect is None


def test_less_than_the_floor_does_not_matter() -> None:
    random = np.random.default_rng(15)
    blocks = _blocks(random, effect=0.5)
    assert judge_blocks(LATENCY, blocks).verdict is Verdict.FAIL
    assert judge_blocks(replace(LATENCY, floor=1.0), blocks).verdict is Verdict.PASS


def test_what_never_varies_is_judged_as_it_stands() -> None:
    same = [Block(patched, (5.0,) * 30) for patched in (False, True, False, True, False)]
    assert judge_blocks(LATENCY, same).verdict is Verdict.PASS
    more = [replace(one, values=(6.0,) * 30) if one.patched else one for one in same]
    assert judge_blocks(LATENCY, more).verdict is Verdict.FAIL


def test_a_stalled_second_is_harm_and_no_accident() -> None:
    random = np.random.default_rng(16)
    blocks = [
        replace(block, values=(0.0,) * 20 + block.values[20:]) if block.patched else block
        for block in _blocks(random)
    ]
    assert judge_blocks(THROUGHPUT, blocks).verdict is not Verdict.PASS


_SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seed=_SEEDS, scale=st.floats(1e-6, 1e6), effect=st.floats(-0.5, 1.0))
def test_units_do_not_matter(seed: int, scale: float, effect: float) -> None:
    blocks = _blocks(np.random.default_rng(seed), effect=effect)
    scaled = [replace(one, values=tuple(v * scale for v in one.values)) for one in blocks]
    _alike(judge_blocks(LATENCY, blocks), judge_blocks(LATENCY, scaled))


@settings(max_examples=60, deadline=None)
@given(seed=_SEEDS, effect=st.floats(-0.5, 1.0))
def test_after_for_before_turns_the_effect_around(seed: int, effect: float) -> None:
    blocks = _blocks(np.random.default_rng(seed), effect=effect)[:4]
    turned = [replace(one, patched=not one.patched) for one in reversed(blocks)]
    there, back = judge_blocks(LATENCY, blocks), judge_blocks(LATENCY, turned)
    # The other sides have other neighbours at the ends, so the means differ, but not by much.
    assert there.effect is not None and back.effect is not None
    assert math.log1p(there.effect) == pytest.approx(-math.log1p(back.effect), abs=0.05)


@settings(max_examples=60, deadline=None)
@given(seed=_SEEDS, effect=st.floats(-0.5, 1.0))
def test_a_fall_of_what_should_be_high_is_a_rise_of_what_should_be_low(
    seed: int, effect: float
) -> None:
    blocks = _blocks(np.random.default_rng(seed), effect=effect)
    inverse = [replace(one, values=tuple(1 / v for v in one.values)) for one in blocks]
    assert judge_blocks(LATENCY, blocks).verdict is judge_blocks(THROUGHPUT, inverse).verdict


def _alike(one: Judgement, other: Judgement) -> None:
    assert one.verdict is other.verdict
    assert one.effect == pytest.approx(other.effect, rel=1e-6, abs=1e-9)
    assert one.low == pytest.approx(other.low, rel=1e-6, abs=1e-9)
    assert one.high == pytest.approx(other.high, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("effect", [0.0, 0.1])
def test_a_canary_raises_no_more_false_alarms_than_the_level_says(effect: float) -> None:
    random = np.random.default_rng(17)
    verdicts = [
        judge_hosts(LATENCY, _hosts(random, 2, effect), _hosts(random, 4)).verdict
        for _ in range(400)
    ]
    assert _share(verdicts, Verdict.FAIL) <= LEVEL


def test_a_canary_tells_harm_from_what_all_hosts_went_through() -> None:
    random = np.random.default_rng(18)
    both = [_hosts(random, 1, 1.0), _hosts(random, 4, 1.0)]
    assert judge_hosts(LATENCY, *both).effect == pytest.approx(0.0, abs=0.1)
    assert judge_hosts(LATENCY, *both).verdict is not Verdict.FAIL
    assert judge_hosts(LATENCY, both[0], _hosts(random, 4)).verdict is Verdict.FAIL


def test_a_canary_needs_company() -> None:
    random = np.random.default_rng(19)
    judged = judge_hosts(LATENCY, _hosts(random, 3), _hosts(random, 1))
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "not 3 and 1" in judged.reason
    assert (
        "windows are too few"
        in judge_hosts(LATENCY, [HostSamples((1.0,), (1.0,))], _hosts(random, 4)).reason
    )


def test_several_measures_share_the_false_alarms_and_several_looks_the_misses() -> None:
    assert Levels.of(measures=5, looks=2) == Levels(alarms=LEVEL / 5, misses=LEVEL / 2)


def test_the_worst_measure_speaks() -> None:
    random = np.random.default_rng(20)
    good = judge_blocks(LATENCY, _blocks(random))
    bad = judge_blocks(THROUGHPUT, _blocks(random, effect=-0.5))
    unknown = judge_blocks(LATENCY, [])
    assert sum_up([good]) == (Verdict.PASS, "")
    assert sum_up([good, unknown])[0] is Verdict.INCONCLUSIVE
    verdict, reason = sum_up([good, unknown, bad])
    assert verdict is Verdict.FAIL
    assert reason == f"throughput: {bad.reason}"
