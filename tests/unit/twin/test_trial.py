"""Load in alternation, on a twin that only pretends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

from suture.core.evidence import Verdict
from suture.core.performance import Sample, Stretch
from suture.twin.load import LoadError, Loading, LoadSettings
from suture.twin.machine import Twin
from suture.twin.trial import Trial, make_trial
from tests.unit.core import builders


@dataclass
class _Pretended:
    """Answers every ``took`` seconds, and with the patch every ``took_patched``."""

    took: float = 0.1
    took_patched: float = 0.1
    error: str = ""
    load: str = "http://127.0.0.1/"
    asked: list[bool] = field(default_factory=list)

    async def stretch(self, *, patched: bool) -> Stretch:
        self.asked.append(patched)
        if self.error:
            raise LoadError(self.error)
        took = self.took_patched if patched else self.took
        samples = tuple(Sample(n * took, took, True) for n in range(int(20 / took)))
        return Stretch(patched, 20, samples)


async def _course(pretended: _Pretended) -> Trial:
    """As a rehearsal goes that passes otherwise."""
    trial = Trial(cast(Loading, pretended), 0.1, lambda _: None)
    await trial.take(patched=False)
    while True:
        await trial.take(patched=True)
        await trial.take(patched=False)
        if not trial.wants_more:
            return trial


@pytest.mark.parametrize(
    ("pretended", "verdict", "alternations"),
    [
        (_Pretended(), Verdict.PASS, 1),
        (_Pretended(took_patched=0.2), Verdict.FAIL, 2),
        (_Pretended(took=4.0, took_patched=4.0), Verdict.INCONCLUSIVE, 2),
    ],
)
async def test_a_pass_takes_one_alternation_and_anything_else_two(
    pretended: _Pretended, verdict: Verdict, alternations: int
) -> None:
    found = (await _course(pretended)).performance()
    assert (found.verdict, found.alternations) == (verdict, alternations)
    assert len(pretended.asked) == 2 * alternations + 1


async def test_a_load_that_does_not_run_is_tried_once() -> None:
    pretended = _Pretended(error="the twin knows no address of 'shop'")
    found = (await _course(pretended)).performance()
    assert pretended.asked == [False]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, pretended.error)


@pytest.mark.parametrize(("load", "told"), [("checks", 1), ("none", 0)])
def test_where_there_is_nothing_to_load_that_is_said(load: str, told: int) -> None:
    said: list[str] = []
    plan = builders.host_plan("a")  # its check is a unit
    assert make_trial(LoadSettings(load, 0.1, 10), plan, cast(Twin, None), said.append) is None
    assert len(said) == told
