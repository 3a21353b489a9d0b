"""CSV as scanners and spreadsheets write it: any encoding, any separator, within limits."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from suture.reading import UnreadableError, explained, opened

MAX_ROW = 16_000_000  # characters
MAX_PREAMBLE = 50  # rows before the header
_SEPARATORS = (",", ";", "\t")

csv.field_size_limit(MAX_ROW)


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    """What is not UTF-8 in a file that otherwise is has come from an old spreadsheet."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("suture-latin-1", _as_latin_1)


class Rows:
    """The rows of a CSV file below its header, each a mapping from the header's names in lower
    case to values. ``preamble`` are the rows above the header."""

    def __init__(self, path: Path, needed: Sequence[frozenset[str]]) -> None:
        """``needed`` are sets of columns; the header is the first row that has one of them.
        Raises :class:`UnreadableError` where there is none."""
        self._path = path
        found = header(path, needed)
        if found is None:
            raise UnreadableError(f"{path.name} has no header that is known")
        self.preamble, self.columns, self._separator = found

    def __iter__(self) -> Iterator[dict[str, str]]:
        with opened(self._path) as stream, explained(self._path.name):
            rows = _rows(stream, self._path.name, self._separator)
            for _ in range(len(self.preamble) + 1):
                next(rows, None)
            for row in rows:
                if any(row):
                    yield dict(zip(self.columns, row, strict=False))


def header(
    path: Path, needed: Sequence[frozenset[str]]
) -> tuple[list[list[str]], list[str], str] | None:
    """(rows above, columns, separator) of the first row that has one of the sets of columns."""
    for separator in _SEPARATORS:
        with opened(path) as stream, explained(path.name):
            above: list[list[str]] = []
            for row in _rows(stream, path.name, separator):
                columns = [name.strip().lower() for name in row]
                if any(one <= set(columns) for one in needed):
                    return above, columns, separator
                above.append(row)
                if len(above) > MAX_PREAMBLE:
                    break
    return None


def _rows(stream: BinaryIO, name: str, separator: str) -> Iterator[list[str]]:
    encoding = _encoding(stream)
    text = io.TextIOWrapper(stream, encoding=encoding, errors="suture-latin-1", newline="")
    lines = _Lines(text, name)
    try:
        for row in csv.reader(lines, delimiter=separator):
            lines.since = 0
            yield row
    except (csv.Error, UnicodeError) as error:
        raise UnreadableError(f"{name} is not a readable CSV file: {error}") from error


def _encoding(stream: BinaryIO) -> str:
    head = stream.peek(64)[:64] if isinstance(stream, io.BufferedReader) else b""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head[1:2] == b"\0" and head[:1] != b"\0":
        return "utf-16-le"
    if head[:1] == b"\0" and head[1:2] != b"\0":
        return "utf-16-be"
    return "utf-8-sig"


class _Lines:
    """Lines of a text, of which one row may not take more than ``MAX_ROW`` characters."""

    def __init__(self, text: io.TextIOWrapper, name: str) -> None:
        self._text = text
        self._name = name
        self.since = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(MAX_ROW + 1):
            self.since += len(line)
            if self.since > MAX_ROW:
                raise UnreadableError(f"{self._name} has a row that is larger than is allowed")
            yield line
