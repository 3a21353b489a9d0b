"""What is written in feeds, made safe."""

from __future__ import annotations

from datetime import date

import pytest

from suture.core.intelligence.advisories import Severity
from suture.feeds import fields
from suture.reading import UnreadableError


def test_prose_is_cut_to_one_line() -> None:
    assert fields.line(" two\nlines\x1b[31m\u202e ") == "two lines [31m"
    assert len(fields.line("word " * 100_000)) <= fields.MAX_TEXT
    assert fields.line(None) == ""


def test_cve_ids_are_named_once_and_in_order() -> None:
    named = ["fixes CVE-2024-1000 and CVE-2023-20000", "CVE-2024-1000", "CVE-24-1"]
    assert fields.cves(named) == ("CVE-2024-1000", "CVE-2023-20000")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-03T04:05:06Z", date(2024, 2, 3)),
        ("2024-02-03", date(2024, 2, 3)),
        ("yesterday", None),
        ("2024-02-31", None),
        (None, None),
    ],
)
def test_days(text: str | None, expected: date | None) -> None:
    assert fields.day(text) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Important", Severity.HIGH),
        ("moderate", Severity.MEDIUM),
        ("negligible", Severity.LOW),
        ("untriaged", Severity.UNKNOWN),
        (7, Severity.UNKNOWN),
    ],
)
def test_words_of_severity(word: object, expected: Severity) -> None:
    assert fields.severity(word) is expected


@pytest.mark.parametrize("text", ["", "a b", "a\n", "ä", "x" * 256])
def test_what_no_package_manager_writes_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="feed"):
        fields.token(text, name="feed")


def test_only_web_addresses_are_addresses() -> None:
    assert fields.url("https://example.org/a") == "https://example.org/a"
    assert fields.url("javascript:alert(1)") == ""
    assert fields.url("https://example.org/a b") == ""
