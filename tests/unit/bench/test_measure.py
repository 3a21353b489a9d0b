import io
import json
import sys

import pytest
from rich.console import Console

from bench import measure
from bench.measure import Figure, Report, flat, ratios, run_child, show, written

_REPORT = Report(
    title="speed",
    figures=(
        Figure("ratio", "ours to theirs", (1.5, 0.5, 1.0), "×", "≤ 1.15"),
        Figure("wire_bytes", "bytes", (25_786,), "B"),
    ),
    caveats=("the [machine] was busy",),
)


def test_a_figure_is_the_median_of_its_runs() -> None:
    assert _REPORT.figures[0].median == 1.0
    assert Figure("even", "", (1.0, 2.0)).median == 1.5


def test_ratios_are_taken_pair_by_pair() -> None:
    assert ratios([1.0, 3.0], [2.0, 1.0]) == (0.5, 3.0)
    with pytest.raises(ValueError):
        ratios([1.0], [])


def test_json_is_one_flat_object_of_numbers() -> None:
    figures = json.loads(json.dumps(flat(_REPORT)))
    assert figures["ratio"] == 1.0
    assert (figures["ratio_min"], figures["ratio_max"], figures["ratio_runs"]) == (0.5, 1.5, 3)
    assert all(isinstance(value, int | float) for value in figures.values())


def test_the_table_shows_the_spread_the_goal_and_the_caveats() -> None:
    out = io.StringIO()
    show(_REPORT, Console(file=out, width=100))
    text = out.getvalue()
    for expected in ("1.00 ×", "0.50–1.50", "≤ 1.15", "25 786 B", "the [machine] was busy"):
        assert expected in text


def test_numbers_are_written_with_three_digits() -> None:
    assert [written(n) for n in (0.567, 12.345, 99.96, 1234.5)] == [
        "0.57",
        "12.3",
        "100.0",
        "1 234",
    ]


def test_the_cpu_of_a_child_is_its_own() -> None:
    child = run_child([sys.executable, "-c", "print(sum(range(2_000_000)))"])
    assert child.stdout == b"1999999000000\n"
    assert child.cpu_s > 0


def test_a_child_that_fails_is_told_with_what_it_said() -> None:
    with pytest.raises(RuntimeError, match="status 3: no such thing"):
        run_child(["sh", "-c", "echo no such thing >&2; exit 3"])
    assert run_child(["sh", "-c", "exit 3"], accept=(0, 3)).exit == 3


def test_a_missing_tool_is_named_with_its_package() -> None:
    with pytest.raises(measure.UnmetError, match=r"install .*the-package"):
        measure.need("no-such-tool-anywhere", "the-package")
