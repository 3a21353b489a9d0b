"""The calendar of ``suture simulate``: what changed, day by day."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import Run

POLICY = """\
windows:
  - {name: monthly, rule: "FREQ=MONTHLY;BYMONTHDAY=10", start: "22:00", duration: 4h}
"""


@pytest.fixture
def suture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    return Run(tmp_path, monkeypatch, capsys)


def test_days_on_which_nothing_changed_are_left_out(suture: Run) -> None:
    (suture.place.home / "policy.yaml").write_text(POLICY)
    code, out, _ = suture("simulate", "--hosts", "40", "--weeks", "2", "--begins", "2026-12-07")
    days = [line.split()[1] for line in out.splitlines() if line.strip()[:3] in ("Mon", "Thu")]
    assert code == 0
    assert days == ["2026-12-07", "2026-12-10", "2026-12-14"]
    assert "Day (UTC)" in out and "Days on which nothing changed are left out." in out
    assert not [line for line in out.splitlines() if " 2026-12-08 " in line]


def test_one_is_one(suture: Run) -> None:
    _, out, _ = suture("simulate", "--hosts", "1", "--weeks", "1", "--begins", "2026-12-07")
    assert out.startswith("1 host, 1 week, seed 1")


def test_a_day_that_is_none_is_refused(suture: Run) -> None:
    assert suture("simulate", "--hosts", "2", "--begins", "9999-12-20")[0] == 2
