"""CSV in the forms that spreadsheets leave behind, and in those that attack."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

import pytest

from suture.imports import rows
from suture.imports.rows import Rows, header
from suture.reading import UnreadableError
from tests.unit.imports.samples import written

NEEDED = (frozenset({"host", "name"}),)
TEXT = 'Host,Name\nweb1,"schön, lang"\n'


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("latin-1"),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace(",", ";").replace("; ", ", ").encode(),
        TEXT.replace(",", "\t").replace("\t ", ", ").encode(),
        gzip.compress(TEXT.encode(), mtime=0),
    ],
)
def test_encodings_and_separators_are_told_from_the_content(tmp_path: Path, content: bytes) -> None:
    found = list(Rows(written(tmp_path, content), NEEDED))
    assert found == [{"host": "web1", "name": "schön, lang"}]


def test_what_stands_above_the_header_is_kept_apart(tmp_path: Path) -> None:
    found = Rows(written(tmp_path, '"Report","GMT-0500"\n\n' + TEXT), NEEDED)
    assert found.preamble == [["Report", "GMT-0500"], []]
    assert len(list(found)) == 1


def test_short_long_and_empty_rows_are_no_trouble(tmp_path: Path) -> None:
    found = list(Rows(written(tmp_path, "Host,Name\nweb1\n\n,\na,b,c\n"), NEEDED))
    assert found == [{"host": "web1"}, {"host": "a", "name": "b"}]


def test_a_file_without_the_header_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n" * 100)
    assert header(path, NEEDED) is None
    with pytest.raises(UnreadableError, match="no header"):
        Rows(path, NEEDED)


@pytest.mark.parametrize(
    "row", ['"' + "a\n" * 1000, "x" * 1000, ",".join("ab" for _ in range(1000)), '"a\n",' * 400]
)
def test_a_row_that_is_too_large_is_refused(
    tmp_path: Path, row: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, f"Host,Name\n{row}")
    monkeypatch.setattr(rows, "MAX_ROW", 900)
    with pytest.raises(UnreadableError, match="larger than is allowed"):
        list(Rows(path, NEEDED))


def test_a_null_byte_is_no_reason_to_fall_over(tmp_path: Path) -> None:
    (row,) = Rows(written(tmp_path, "Host,Name\na\0b,c\n"), NEEDED)
    assert row["name"] == "c"
