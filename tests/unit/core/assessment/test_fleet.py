"""A fleet's text is read once for each distinct line."""

from __future__ import annotations

import pytest

from suture.core.assessment.fleet import Interner
from suture.core.inventory import Package
from tests.unit.core.builders import package


def test_each_line_is_read_once_and_those_about_no_package_have_no_number() -> None:
    asked: list[str] = []

    def read(line: str) -> Package | None:
        asked.append(line)
        return package(line) if line else None

    interner = Interner()
    hosts = [[b"nginx", b"", b"bash"], [b"", b"bash", b"curl"], [b"bash", b"nginx"]]
    ids = [interner.intern_lines(lines, read).tolist() for lines in hosts]
    assert ids == [[0, 1], [1, 2], [1, 0]]
    assert [one.name for one in interner.packages] == ["nginx", "bash", "curl"]
    assert asked == ["nginx", "", "bash", "curl"]


def test_a_line_that_is_no_text_is_the_caller_s_to_handle() -> None:
    with pytest.raises(UnicodeDecodeError):
        Interner().intern_lines([b"\xff"], package)
