from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from suture.hosts.text import clean


@given(st.text() | st.binary(), st.integers(1, 300))
def test_cleaned_text_is_printable_and_bounded(text: str | bytes, limit: int) -> None:
    shown = clean(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit


def test_control_and_bidirectional_characters_show() -> None:
    assert clean("a\x1b[31mb\u202ec\nd") == "a\ufffd[31mb\ufffdc d"
    assert clean("naïve 日本") == "naïve 日本"
