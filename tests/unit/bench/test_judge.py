from __future__ import annotations

import numpy as np
import pytest

from bench import judge, loads
from bench.measure import flat
from suture.core.evidence import Verdict

_LOADS = {**loads.made(), **loads.recordings()}


@pytest.mark.parametrize("name", _LOADS)
def test_every_load_is_as_long_as_asked_and_the_same_again(name: str) -> None:
    one, same = (_LOADS[name](np.random.default_rng(5), 250) for _ in range(2))
    assert one.shape == (250,)
    assert np.isfinite(one).all()
    assert (one == same).all()


def test_correlation_is_what_was_asked_for() -> None:
    series = loads.correlated(np.random.default_rng(6), 20_000, rho=0.9, spread=0.1)
    assert np.corrcoef(series[:-1], series[1:])[0, 1] == pytest.approx(0.9, abs=0.02)
    assert series.std() == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("trial", [judge.rehearsal, judge.canary, judge.plain])
def test_a_trial_catches_what_is_plain(trial: judge.Trial) -> None:
    load = _LOADS["independent"]
    assert trial(np.random.default_rng(7), load, 1.0) is Verdict.FAIL
    assert trial(np.random.default_rng(7), load, -0.3) is Verdict.PASS


def test_the_report_counts_wrong_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "made", lambda: {"steady": lambda _, count: np.zeros(count)})
    monkeypatch.setattr(judge, "recordings", dict)
    figures = flat(judge.run(3))
    assert figures["false_alarms"] == figures["misses"] == figures["canary_misses"] == 0
    assert figures["passed"] == figures["caught"] == 1
    assert "| steady | 0.0% / 100.0% |" in judge.table(2)
