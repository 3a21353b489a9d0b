"""What load on a twin measured, made into windows, measures and one verdict.

Load runs in stretches that alternate: before the patch, with it, and after it was taken back. All
requests of a window are one value, so the thousand requests of a good second count no more than
the ten of a bad one.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from suture.core.documents import Document
from suture.core.evidence import Verdict
from suture.core.judging import Better, Block, Judgement, Levels, Measure, judge_blocks, sum_up

ALTERNATIONS = 2
"""One can pass a patch, and two are needed to fail one."""

_MIB = 2**20
_BINS_PER_DECADE = 10
_REQUESTS_PER_WINDOW = 3
_MOST_FAILING = 0.01
_FLOOR_MEMORY_MIB = 16.0
_FLOOR_START_S = 0.5


class Sample(Document, frozen=True, array_like=True):
    """One request or run: when it began, in seconds of its stretch, how long it took in seconds,
    and whether it went well."""

    at: float
    seconds: float
    well: bool


class Usage(Document, frozen=True, array_like=True):
    """What the twin had used at a moment of its stretch: CPU seconds since it booted, and bytes of
    memory that its processes hold for themselves; None where the machine does not tell."""

    at: float
    cpu_s: float | None
    memory: int


class Stretch(Document, frozen=True):
    """Load in one state of the twin. ``starts`` are the seconds that restarting the patch's
    units took, one value for all of them together, several times over."""

    patched: bool
    seconds: int
    samples: tuple[Sample, ...]
    usage: tuple[Usage, ...] = ()
    starts: tuple[float, ...] = ()


class Distribution(Document, frozen=True):
    """How long requests took. ``counts[n]`` of them took from ``first_s`` times ``10 ** (n / 10)``
    seconds up to the next."""

    requests: int
    failed: int
    median_s: float
    p95_s: float
    first_s: float
    counts: tuple[int, ...]


class Performance(Document, frozen=True):
    """The verdict on one patch set under ``load``; ``before`` also has what ran after the patch
    was taken back."""

    load: str
    verdict: Verdict
    reason: str
    alternations: int
    judgements: tuple[Judgement, ...] = ()
    before: Distribution | None = None
    after: Distribution | None = None


def assess(load: str, stretches: Sequence[Stretch], *, min_effect: float) -> Performance:
    """Judge what is there so far; INCONCLUSIVE where it needs more."""
    sides = [
        [sample for one in stretches if one.patched is patched for sample in one.samples]
        for patched in (False, True)
    ]
    before, after = (_distribution(side) for side in sides)
    verdict, reason = _failing(before, after)
    judgements: tuple[Judgement, ...] = ()
    if verdict is Verdict.PASS:
        judgements = _judge(stretches, min_effect)
        verdict, reason = sum_up(judgements)
    return Performance(
        load=load,
        verdict=verdict,
        reason=reason,
        alternations=sum(one.patched for one in stretches),
        judgements=judgements,
        before=before,
        after=after,
    )


def _failing(before: Distribution | None, after: Distribution | None) -> tuple[Verdict, str]:
    if before is None or before.failed > before.requests * _MOST_FAILING:
        return Verdict.INCONCLUSIVE, (
            "the load fails on the twin without the patch already, perhaps for want of data: "
            f"{_failures(before)}; correct performance.load, or leave less out (twin.exclude)"
        )
    if after is None or after.failed > after.requests * _MOST_FAILING + before.failed:
        return Verdict.FAIL, f"the load fails with the patch: {_failures(after)}"
    return Verdict.PASS, ""


def _failures(found: Distribution | None) -> str:
    if found is None:
        return "no request was answered"
    return f"{found.failed} of {found.requests} requests failed"


def _judge(stretches: Sequence[Stretch], min_effect: float) -> tuple[Judgement, ...]:
    measured = _measures(stretches, min_effect)
    levels = Levels.of(measures=len(measured), looks=ALTERNATIONS)
    return tuple(
        judge_blocks(
            measure,
            [Block(one.patched, tuple(values(one))) for one in stretches],
            levels=levels,
        )
        for measure, values in measured
    )


_Values = Callable[[Stretch], Sequence[float]]


def _measures(stretches: Sequence[Stretch], share: float) -> list[tuple[Measure, _Values]]:
    """Throughput stands for the whole distribution: whoever waits for an answer asks no more."""
    width = _window_s(stretches)

    def throughput(one: Stretch) -> list[float]:
        return [len(window) / width for window in _windows(one, width)]

    def latency(one: Stretch) -> list[float]:
        windows = _windows(one, width)
        return [statistics.median(window) * 1000 for window in windows if window]

    def memory(one: Stretch) -> list[float]:
        return [usage.memory / _MIB for usage in one.usage]

    measures: list[tuple[Measure, _Values]] = [
        (Measure("latency", "ms", Better.LOWER, share), latency),
        (Measure("throughput", "/s", Better.HIGHER, share), throughput),
    ]
    if all(one.usage for one in stretches):
        if all(use.cpu_s is not None for one in stretches for use in one.usage):
            measures.append((Measure("CPU", "ms", Better.LOWER, share), _cpu_ms))
        floor = _FLOOR_MEMORY_MIB
        measures.append((Measure("memory", "MiB", Better.LOWER, share, floor), memory))
    if all(one.starts for one in stretches):
        start = Measure("start-up", "s", Better.LOWER, share, _FLOOR_START_S, windows=3)
        measures.append((start, lambda one: one.starts))
    return measures


def _window_s(stretches: Sequence[Stretch]) -> float:
    """A second, or as long as several requests take: the same for all stretches."""
    took = [sample.seconds for one in stretches if not one.patched for sample in one.samples]
    return max(1.0, _REQUESTS_PER_WINDOW * statistics.median(took)) if took else 1.0


def _windows(one: Stretch, width: float) -> list[list[float]]:
    """The seconds of the requests that went well, by window; the last one is whole."""
    windows: list[list[float]] = [[] for _ in range(int(one.seconds / width))]
    for sample in one.samples:
        if sample.well and 0 <= sample.at < width * len(windows):
            windows[int(sample.at / width)].append(sample.seconds)
    return windows


def _cpu_ms(one: Stretch) -> list[float]:
    """What the whole twin used for each request, between one look at it and the next."""
    values = []
    for earlier, later in pairwise(one.usage):
        done = sum(earlier.at <= sample.at < later.at for sample in one.samples)
        if done and earlier.cpu_s is not None and later.cpu_s is not None:
            values.append((later.cpu_s - earlier.cpu_s) * 1000 / done)
    return values


def _distribution(samples: Sequence[Sample]) -> Distribution | None:
    took = sorted(sample.seconds for sample in samples if sample.well)
    if not took:
        return None
    places = Counter(math.floor(math.log10(max(one, 1e-6)) * _BINS_PER_DECADE) for one in took)
    first, last = min(places), max(places)
    return Distribution(
        requests=len(samples),
        failed=len(samples) - len(took),
        median_s=statistics.median(took),
        p95_s=took[min(len(took) - 1, len(took) * 95 // 100)],
        first_s=10 ** (first / _BINS_PER_DECADE),
        counts=tuple(places[place] for place in range(first, last + 1)),
    )
