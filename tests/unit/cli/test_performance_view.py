from __future__ import annotations

import pytest

from suture.cli.performance_view import histogram, print_performance
from suture.core.evidence import Verdict
from suture.core.judging import Better, Block, Measure, judge_blocks
from suture.core.performance import Distribution, Performance

_BEFORE = Distribution(100, 0, 0.0004, 0.0006, 10**-3.5, (75, 25))
_AFTER = Distribution(100, 3, 0.0006, 0.0011, 10**-3.3, (97,))


def _performance() -> Performance:
    blocks = [Block(bool(n % 2), (4.0 + 2 * (n % 2),) * 10) for n in range(5)]
    judged = judge_blocks(Measure("latency", "ms", Better.LOWER, 0.1), blocks)
    return Performance("ab -n 9 [red]x", Verdict.FAIL, "slower", 2, (judged,), _BEFORE, _AFTER)


def test_bars_of_both_sides_share_one_scale() -> None:
    heading, *bars, before, after = histogram(_BEFORE, _AFTER)
    assert heading.split() == ["latency", "before", "after"]
    assert [line.split()[0] for line in bars] == ["316", "398", "501"]
    assert [line.count("█") for line in bars] == [24, 8, 32]
    assert "75.0%" in bars[0] and "100.0%" in bars[2]
    assert "median 400 µs, 95 % within 600 µs, 100 requests, 0 failed" in before
    assert "within 1.1 ms, 100 requests, 3 failed" in after


def test_every_measure_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_performance("web1", _performance())
    printed = capsys.readouterr().out
    assert "Performance on the twin of web1: fail" in printed
    assert "ab -n 9 [red]x" in printed
    assert "4 ms" in printed and "6 ms" in printed
    assert "beyond +10 %" in printed


def test_without_a_judgement_the_reason_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_performance("web1", Performance("x", Verdict.INCONCLUSIVE, "nobody answers", 0))
    assert "nobody answers" in capsys.readouterr().out
