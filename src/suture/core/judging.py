"""Before and after: whether a patch made something slower, hungrier or smaller.

Load is autocorrelated, seasonal and bursty, so a thousand samples of one stretch of load are worth
a handful of independent ones, and a change of conditions looks like a change of the patch. What is
compared is therefore whole stretches of load (*blocks*), alternated before and after on the same
twin, or whole hosts, patched and not, over the same time. The interval of the effect takes in both
how much the load fluctuates within a block and how far blocks of the same kind lie apart.

The minimum effect of the policy is a line. An interval beyond it is a fail, one short of it a
pass, one across it inconclusive. So both a false alarm and a missed harm of at least that size are
as rare as the level says. ``docs/judging.md`` has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from suture.core.documents import Document
from suture.core.evidence import Better as Better
from suture.core.evidence import Verdict
from suture.core.student import quantile

LEVEL = 0.05
"""How often a judgement may be wrong, where nothing else is said."""


class Levels(Document, frozen=True):
    """How often a judgement may be wrong: ``alarms`` is the share of fails where the harm does
    not exceed the minimum effect, ``misses`` that of passes where it does."""

    alarms: float = LEVEL
    misses: float = LEVEL

    @classmethod
    def of(cls, *, measures: int, looks: int) -> Levels:
        """For several measures, each of which can fail the whole, and several looks at growing
        data, each of which can pass it; only the last look can fail it."""
        return cls(alarms=LEVEL / measures, misses=LEVEL / looks)


ONE_LOOK = Levels()
"""For one measure that is looked at once."""


_LEAST_EFFECTIVE = 1.5
_LEAST_CONTROLS = 2
_MOST_CORRELATED = 0.99
# The smallest value that counts, as a share of the median: a stalled second has no logarithm.
_LEAST_SHARE = 1e-3

# Of a normal distribution, the deviation in units of the median absolute one.
_MAD = 1.4826
_REACH = 2.5

_Logs = NDArray[np.float64]


class Measure(Document, frozen=True):
    """What is compared. ``min_effect`` is the share from which on a change for the worse matters
    (0.1 for 10 %); where ``floor``, in ``unit``, is more than that, it is the line instead.
    ``windows`` is the least that a block needs.
    """

    name: str
    unit: str
    better: Better
    min_effect: float
    floor: float = 0.0
    windows: int = 8


class Block(Document, frozen=True):
    """One stretch of load in one state: one value a window, in the order of time.

    Windows are of the same length, and each value sums up many samples: a median, a count.
    """

    patched: bool
    values: tuple[float, ...]


class HostSamples(Document, frozen=True):
    """One host, one value a window, before and after its ring was patched; of an unpatched host,
    over the same time. Where load follows the clock, both are the same hours of the week."""

    before: tuple[float, ...]
    after: tuple[float, ...]


class Judgement(Document, frozen=True):
    """``effect`` is the change of the value as a share (0.1: a tenth more), ``low`` to ``high``
    its interval; None where there was too little to tell. ``before`` and ``after`` are typical
    values in the measure's unit; for hosts they are those of the patched ones."""

    measure: Measure
    verdict: Verdict
    reason: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    before: float | None = None
    after: float | None = None


def judge_blocks(
    measure: Measure, blocks: Sequence[Block], *, levels: Levels = ONE_LOOK
) -> Judgement:
    """Compare each patched block with the unpatched ones beside it, which cancels a drift.

    One patched block can pass; to fail, the harm must be seen in two, for a single one may have
    met something else.
    """
    logs, short = _logs([block.values for block in blocks], measure.windows)
    if short:
        return _unknown(measure, short)
    logs = _without_bursts(logs)
    weights = _weights([block.patched for block in blocks])
    if weights is None:
        return _unknown(measure, "there is no load from before and after the patch to compare")
    means = np.array([block.mean() for block in logs])
    effective, variance = _effective_samples(logs)
    within = float(np.sum(weights**2 * variance / (effective - 1)))
    sides = np.array([block.patched for block in blocks])
    between, freedom = _scatter(means[sides], means[~sides])
    estimate = _Estimate(
        difference=float(weights @ means),
        before=float(means[~sides].mean()),
        after=float(means[sides].mean()),
        variances=(within, between * float(np.sum(weights**2))),
        freedoms=(float(effective.sum()) - len(blocks), freedom),
    )
    return _decide(measure, estimate, levels, seen_twice=int(sides.sum()) > 1)


def judge_hosts(
    measure: Measure,
    patched: Sequence[HostSamples],
    controls: Sequence[HostSamples],
    *,
    levels: Levels = ONE_LOOK,
) -> Judgement:
    """The canary's question: did patched hosts change more than unpatched ones did meanwhile?

    A difference in differences with a host as the unit: what all hosts go through together
    cancels, and what a host does by itself shows in how far the controls lie apart.
    """
    if not patched or len(controls) < _LEAST_CONTROLS:
        return _unknown(
            measure,
            f"it takes a patched host and {_LEAST_CONTROLS} unpatched ones to compare with, "
            f"not {len(patched)} and {len(controls)}",
        )
    hosts = [*patched, *controls]
    logs, short = _logs(
        [side for host in hosts for side in (host.before, host.after)], measure.windows
    )
    if short:
        return _unknown(measure, short)
    means = np.array([one.mean() for one in logs]).reshape(-1, 2)
    changes, count = means[:, 1] - means[:, 0], len(patched)
    between, freedom = _scatter(changes[:count], changes[count:])
    estimate = _Estimate(
        difference=float(changes[:count].mean() - changes[count:].mean()),
        before=float(means[:count, 0].mean()),
        after=float(means[:count, 1].mean()),
        variances=(between * (1 / count + 1 / len(controls)),),
        freedoms=(freedom,),
    )
    return _decide(measure, estimate, levels, seen_twice=True)


def sum_up(judgements: Iterable[Judgement]) -> tuple[Verdict, str]:
    """The worst verdict, and the judgements behind it in words."""
    judgements = tuple(judgements)
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        worst = [one for one in judgements if one.verdict is verdict]
        if worst:
            return verdict, "; ".join(f"{one.measure.name}: {one.reason}" for one in worst)
    return Verdict.PASS, ""


class _Estimate(Document, frozen=True):
    """A difference of logarithms, and the parts of its variance with their degrees of freedom."""

    difference: float
    before: float
    after: float
    variances: tuple[float, ...]
    freedoms: tuple[float, ...]

    def half_width(self, level: float) -> float:
        """Of the interval that leaves ``level`` on each side: as wide as all parts together ask
        for (Welch and Satterthwaite), and as wide as each alone does, however few it comes from."""
        total = sum(self.variances)
        if total == 0.0:
            return 0.0
        parts = list(zip(self.variances, self.freedoms, strict=True))
        parts.append((total, total**2 / sum(one**2 / freedom for one, freedom in parts)))
        return max(
            quantile(1 - level, max(1, math.floor(freedom))) * math.sqrt(variance)
            for variance, freedom in parts
        )


def _decide(
    measure: Measure, estimate: _Estimate, levels: Levels, *, seen_twice: bool
) -> Judgement:
    least = max(measure.min_effect, measure.floor / math.exp(estimate.before))
    line = math.log1p(least)
    sign = 1 if measure.better is Better.LOWER else -1
    harm = sign * estimate.difference
    least_harm = harm - estimate.half_width(levels.alarms)
    most_harm = harm + estimate.half_width(levels.misses)
    effect, limit = math.expm1(estimate.difference), math.expm1(sign * line)
    low, high = sorted(math.expm1(sign * end) for end in (least_harm, most_harm))
    found = f"{_percent(effect)} ({_percent(low)} to {_percent(high)})"
    if most_harm < line:
        verdict, reason = Verdict.PASS, f"{found}, which is short of {_percent(limit)}"
    elif least_harm <= line:
        verdict = Verdict.INCONCLUSIVE
        reason = f"{found} may or may not reach {_percent(limit)}; more load would tell"
    elif not seen_twice:
        verdict = Verdict.INCONCLUSIVE
        reason = f"{found} is beyond {_percent(limit)}, but it was seen only once"
    else:
        verdict, reason = Verdict.FAIL, f"{found}, which is beyond {_percent(limit)}"
    return Judgement(
        measure=measure,
        verdict=verdict,
        reason=reason,
        effect=effect,
        low=low,
        high=high,
        before=math.exp(estimate.before),
        after=math.exp(estimate.after),
    )


def _unknown(measure: Measure, reason: str) -> Judgement:
    return Judgement(measure, Verdict.INCONCLUSIVE, reason)


def _percent(share: float) -> str:
    percent = share * 100
    if abs(percent) < 0.05:
        return "0 %"
    text = f"{percent:+.1f}" if abs(percent) < 9.95 else f"{percent:+.0f}"
    return f"{text.replace('-', '−')} %"


def _logs(series: Sequence[Sequence[float]], needed: int) -> tuple[list[_Logs], str]:
    """Logarithms, without what is no number; why not, where there are too few."""
    arrays = [np.asarray(one, dtype=np.float64) for one in series]
    arrays = [one[np.isfinite(one) & (one >= 0)] for one in arrays]
    least = min((len(one) for one in arrays), default=0)
    if least < needed:
        return [], f"{least} windows are too few; it takes {needed}"
    typical = float(np.median(np.concatenate(arrays)))
    if typical == 0.0:
        return [], "most values are zero"
    return [np.log(np.maximum(one, typical * _LEAST_SHARE)) for one in arrays], ""


def _without_bursts(blocks: Sequence[_Logs]) -> list[_Logs]:
    """Bring in what lies far from its block's median, so that a burst weighs little."""
    rests = [block - np.median(block) for block in blocks]
    spread = float(np.median(np.abs(np.concatenate(rests)))) * _MAD
    reach = _REACH * spread if spread else math.inf
    return [
        np.median(block) + np.clip(rest, -reach, reach)
        for block, rest in zip(blocks, rests, strict=True)
    ]


def _weights(patched: Sequence[bool]) -> _Logs | None:
    """How each block counts: a patched one against the mean of the nearest unpatched ones."""
    count = sum(patched)
    if not count or count == len(patched):
        return None
    weights = np.zeros(len(patched))
    unpatched = [place for place, is_patched in enumerate(patched) if not is_patched]
    for place, is_patched in enumerate(patched):
        if is_patched:
            earlier = [other for other in unpatched if other < place][-1:]
            beside = earlier + [other for other in unpatched if other > place][:1]
            weights[place] = 1 / count
            weights[beside] -= 1 / count / len(beside)
    return weights


def _effective_samples(blocks: Sequence[_Logs]) -> tuple[_Logs, float]:
    """What each block's windows are worth in independent ones, and the variance of a window.

    The correlation of neighbours is pooled, and corrected for its bias in short series
    (Kendall 1954: an estimate falls short by (1 + 3 rho) / n).
    """
    rests = [block - block.mean() for block in blocks]
    squares = sum(float(rest @ rest) for rest in rests)
    lengths = np.array([len(block) for block in blocks], dtype=np.float64)
    if squares == 0.0:
        return lengths, 0.0
    seen = sum(float(rest[:-1] @ rest[1:]) for rest in rests) / squares
    mean = max(float(lengths.mean()), 4.0)
    correlation = min(max((seen + 1 / mean) / (1 - 3 / mean), 0.0), _MOST_CORRELATED)
    effective = lengths * (1 - correlation) / (1 + correlation)
    return np.maximum(effective, _LEAST_EFFECTIVE), squares / float(lengths.sum())


def _scatter(*groups: _Logs) -> tuple[float, float]:
    """The variance of one around the mean of its group, and its degrees of freedom."""
    freedom = sum(len(group) - 1 for group in groups)
    if freedom < 1:
        return 0.0, 1.0
    squares = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups)
    return squares / freedom, float(freedom)
