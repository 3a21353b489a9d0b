"""The judge of before and after: how often it is wrong, on load of many kinds.

``python -m bench.judge`` prints the table of ``docs/judging.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from bench.loads import Load, Series, made, recordings
from bench.measure import Figure, Report
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
)

RUNS = 1000  # trials for each load and effect

EFFECTS = (0.0, 0.05, 0.1, 0.2, 0.4)
_MEASURE = Measure("latency", "ms", Better.LOWER, min_effect=0.1)
_ALTERNATIONS = 2
_WINDOWS, _PAUSE = 30, 20
_PATCHED, _CONTROLS, _HOST_WINDOWS = 2, 6, 120


@dataclass(frozen=True)
class Rates:
    """Shares of the trials with one load and one effect."""

    load: str
    effect: float
    failed: float
    passed: float


Trial = Callable[[np.random.Generator, Load, float], Verdict]


def run(runs: int) -> Report:
    loads = {**made(), **recordings()}
    rehearsals = rates(rehearsal, loads, runs)
    canaries = rates(canary, made(), runs)
    naive = rates(plain, loads, runs, effects=(0.0,))
    figures = [
        *_figures("", "a rehearsal", rehearsals),
        *_figures("canary_", "the canary", canaries),
        Figure(
            "plain_false_alarms",
            "a plain Mann-Whitney test on raw samples fails what did not change",
            tuple(one.failed for one in naive),
        ),
    ]
    return Report(
        title="judge: wrong verdicts, by load",
        figures=tuple(figures),
        caveats=(
            "errors are those with the load that has most of them; at the line, where the effect "
            "is just the minimum, they are meant to come near the nominal rate",
            f"the other figures have one value a load: {', '.join(loads)}",
            f"minimum effect {_MEASURE.min_effect:.0%}, nominal rate {LEVEL:.0%}",
            f"rehearsals: at most {_ALTERNATIONS} alternations of {_WINDOWS} windows",
            f"canary: {_PATCHED} patched hosts, {_CONTROLS} others, {_HOST_WINDOWS} windows",
        ),
    )


def _figures(prefix: str, who: str, found: list[Rates]) -> list[Figure]:
    """Errors are those with the load where there are most of them."""

    def shares(effects: tuple[float, ...], verdict: str) -> tuple[float, ...]:
        return tuple(getattr(one, verdict) for one in found if one.effect in effects)

    def worst(key: str, what: str, effects: tuple[float, ...], verdict: str) -> Figure:
        share = max(shares(effects, verdict))
        return Figure(f"{prefix}{key}", f"{who} {what}", (share,), "", f"≤ {LEVEL}")

    return [
        worst("false_alarms", "fails no change", (0.0,), "failed"),
        worst("false_alarms_at_line", "fails 5 % or just the least effect", (0.05, 0.1), "failed"),
        worst("misses", "passes a harm of 20 or 40 %", (0.2, 0.4), "passed"),
        worst("misses_at_line", "passes just the least effect", (0.1,), "passed"),
        Figure(f"{prefix}passed", f"{who} passes no change", shares((0.0,), "passed")),
        Figure(f"{prefix}caught", f"{who} fails a harm of 40 %", shares((0.4,), "failed")),
    ]


def rates(
    trial: Trial, loads: Mapping[str, Load], runs: int, effects: tuple[float, ...] = EFFECTS
) -> list[Rates]:
    """Every load with every effect; the same random numbers whatever is measured."""
    found = []
    for name, load in loads.items():
        for effect in effects:
            random = np.random.default_rng(20)
            verdicts = [trial(random, load, effect) for _ in range(runs)]
            failed, passed = (verdicts.count(one) / runs for one in (Verdict.FAIL, Verdict.PASS))
            found.append(Rates(name, effect, failed, passed))
    return found


def rehearsal(random: np.random.Generator, load: Load, effect: float) -> Verdict:
    """As a twin is judged: one more alternation while the last was inconclusive."""
    whole = load(random, (2 * _ALTERNATIONS + 1) * (_WINDOWS + _PAUSE))
    judged = Verdict.INCONCLUSIVE
    for alternations in range(1, _ALTERNATIONS + 1):
        judged = _judge(whole, 2 * alternations + 1, effect).verdict
        if judged is not Verdict.INCONCLUSIVE:
            break
    return judged


def _judge(whole: Series, count: int, effect: float) -> Judgement:
    blocks = []
    for number in range(count):
        start, patched = number * (_WINDOWS + _PAUSE), number % 2 == 1
        values = np.exp(whole[start : start + _WINDOWS]) * (1 + effect * patched)
        blocks.append(Block(patched, tuple(values.tolist())))
    return judge_blocks(_MEASURE, blocks, levels=Levels.of(measures=1, looks=_ALTERNATIONS))


def canary(random: np.random.Generator, load: Load, effect: float) -> Verdict:
    """Every host has load of its own, and all share another that moves them together."""
    shared = load(random, 2 * _HOST_WINDOWS)

    def host(harm: float) -> HostSamples:
        values = np.exp(shared + load(random, 2 * _HOST_WINDOWS) / 2)
        after = values[_HOST_WINDOWS:] * (1 + harm)
        return HostSamples(tuple(values[:_HOST_WINDOWS].tolist()), tuple(after.tolist()))

    patched = [host(effect) for _ in range(_PATCHED)]
    return judge_hosts(_MEASURE, patched, [host(0.0) for _ in range(_CONTROLS)]).verdict


def plain(random: np.random.Generator, load: Load, effect: float) -> Verdict:
    """What is done without thinking: 120 windows before, 120 after, a one-sided rank test."""
    values = load(random, 2 * _HOST_WINDOWS)
    after = values[_HOST_WINDOWS:] + np.log1p(effect)
    ranks = np.concatenate([values[:_HOST_WINDOWS], after]).argsort().argsort() + 1.0
    count = _HOST_WINDOWS
    spread = np.sqrt(count * count * (2 * count + 1) / 12)
    surplus = (ranks[count:].sum() - count * (2 * count + 1) / 2) / spread
    return Verdict.FAIL if surplus > NormalDist().inv_cdf(1 - LEVEL) else Verdict.PASS


def table(runs: int = RUNS) -> str:
    """Fails and passes in percent, as rows of Markdown."""
    loads = {**made(), **recordings()}
    naive = {one.load: one for one in rates(plain, loads, runs, effects=(0.0,))}
    lines = [
        "| Load | " + " | ".join(f"{effect:+.0%}" for effect in EFFECTS) + " | Rank test |",
        "| --- |" + " ---: |" * (len(EFFECTS) + 1),
    ]
    for who, trial, some in (("", rehearsal, loads), ("Canary, ", canary, made())):
        found = rates(trial, some, runs)
        for name in some:
            cells = [f"{one.failed:.1%} / {one.passed:.1%}" for one in found if one.load == name]
            last = "" if who else f"{naive[name].failed:.1%}"
            lines.append(f"| {who}{name} | {' | '.join(cells)} | {last} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
