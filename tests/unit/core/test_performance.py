"""Stretches of load made into a verdict."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from suture.core.documents import decode, encode
from suture.core.evidence import Verdict
from suture.core.performance import Performance, Sample, Stretch, Usage, assess

_SECONDS = 20
_REQUESTS = 20


def _stretch(
    random: np.random.Generator,
    patched: bool,
    *,
    slower: float = 1.0,
    memory: float = 200,
    cpu_s: float = 0.1,
    start_s: float = 1.0,
) -> Stretch:
    """Each connection waits for its answer, so fewer requests fit in where they take longer."""
    samples, at = [], 0.0
    while at < _SECONDS:
        took = slower / _REQUESTS * float(np.exp(0.1 * random.normal()))
        samples.append(Sample(at, took, True))
        at += took
    return Stretch(
        patched=patched,
        seconds=_SECONDS,
        samples=tuple(samples),
        usage=tuple(Usage(at, cpu_s * at / slower, int(memory * 2**20)) for at in range(_SECONDS)),
        starts=tuple(start_s + 0.05 * random.random(4)),
    )


def _course(stretches: int = 5, **with_patch: float) -> list[Stretch]:
    random = np.random.default_rng(3)
    return [
        _stretch(random, bool(n % 2), **(with_patch if n % 2 else {})) for n in range(stretches)
    ]


def _verdicts(found: Performance) -> dict[str, Verdict]:
    return {one.measure.name: one.verdict for one in found.judgements}


def test_nothing_changed_passes_in_every_measure() -> None:
    found = assess("http://127.0.0.1/", _course(), min_effect=0.1)
    assert found.verdict is Verdict.PASS, found
    assert list(_verdicts(found)) == ["latency", "throughput", "CPU", "memory", "start-up"]
    assert (found.alternations, found.reason) == (2, "")
    assert decode(encode(found), Performance) == found


@pytest.mark.parametrize(
    ("with_patch", "failed"),
    [
        ({"slower": 1.5}, {"latency", "throughput"}),
        ({"cpu_s": 0.2}, {"CPU"}),
        ({"memory": 300}, {"memory"}),
        ({"start_s": 3.0}, {"start-up"}),
    ],
)
def test_what_got_worse_is_named(with_patch: dict[str, float], failed: set[str]) -> None:
    found = assess("load", _course(5, **with_patch), min_effect=0.1)
    assert found.verdict is Verdict.FAIL
    assert {name for name, one in _verdicts(found).items() if one is Verdict.FAIL} == failed
    assert all(f"{name}: " in found.reason for name in failed)


def test_a_few_megabytes_or_milliseconds_are_no_harm() -> None:
    found = assess("load", _course(memory=212, start_s=1.3), min_effect=0.01)
    assert _verdicts(found)["memory"] is Verdict.PASS
    assert _verdicts(found)["start-up"] is Verdict.PASS


def test_harm_seen_once_asks_for_more() -> None:
    found = assess("load", _course(3, slower=1.5), min_effect=0.1)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.alternations == 1
    assert found.judgements


def test_what_a_machine_does_not_tell_is_left_out() -> None:
    stretches = [
        replace(
            one,
            usage=tuple(Usage(use.at, None, use.memory) for use in one.usage),
            starts=(),
        )
        for one in _course()
    ]
    assert list(_verdicts(assess("load", stretches, min_effect=0.1))) == [
        "latency",
        "throughput",
        "memory",
    ]


def _failing(one: Stretch) -> Stretch:
    return replace(one, samples=tuple(Sample(s.at, s.seconds, False) for s in one.samples))


def test_a_load_that_fails_with_the_patch_alone_fails_it() -> None:
    stretches = [_failing(one) if one.patched else one for one in _course(3)]
    found = assess("load", stretches, min_effect=0.1)
    assert found.verdict is Verdict.FAIL
    assert "fails with the patch: no request was answered" in found.reason


def test_a_load_that_fails_without_the_patch_says_nothing_about_it() -> None:
    for stretches in (_course(1), _course(3)):
        found = assess("load", [_failing(one) for one in stretches], min_effect=0.1)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert "fails on the twin without the patch already" in found.reason
        assert found.judgements == ()


def test_slow_runs_get_longer_windows_and_too_few_are_said() -> None:
    slow = [
        Stretch(bool(n % 2), 20, tuple(Sample(at * 2.0, 2.0, True) for at in range(10)))
        for n in range(5)
    ]
    found = assess("make", slow, min_effect=0.1)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "3 windows are too few; it takes 8" in found.reason


def test_a_distribution_counts_every_answer() -> None:
    (stretch,) = _course(1)
    found = assess("load", [stretch], min_effect=0.1).before
    assert found is not None
    assert sum(found.counts) == found.requests == len(stretch.samples)
    assert found.first_s <= min(one.seconds for one in stretch.samples)
    assert found.median_s == pytest.approx(0.05, rel=0.1)
    assert found.p95_s > found.median_s
