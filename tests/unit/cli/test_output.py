"""Nothing that comes from a host or a file drives the operator's terminal; how numbers are said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.cli.output import duration, plain


def test_a_style_does_not_spread_to_what_is_added() -> None:
    line = plain("12:00 ", "dim") + plain("pass", "green") + plain(" after 3 s")
    assert not line.style
    assert [(line.plain[s.start : s.end], s.style) for s in line.spans] == [
        ("12:00 ", "dim"),
        ("pass", "green"),
    ]


def test_nothing_in_foreign_text_is_markup_or_control() -> None:
    assert plain("[red]\x1b[2Jname\u202e").plain == "[red]\ufffd[2Jname\ufffd"
    assert plain("  indented  ").plain == "  indented  "


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    assert plain(text).plain.isprintable()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5 s"), (60, "60 s"), (3600, "60 min"), (86_400, "24.0 h"), (777_600, "9.0 d")],
)
def test_how_long_something_takes(seconds: float, words: str) -> None:
    assert duration(seconds) == words
