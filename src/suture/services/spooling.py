"""Parsed records on disk until all of a feed was read, so that a broken feed changes nothing and
a good one holds the database's write lock only while it is stored."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import IO

import msgspec

from suture.core.intelligence.advisories import Advisory
from suture.core.intelligence.enrichment import Enrichment
from suture.store import records
from suture.store.records import Row

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Row)


class Spool:
    """The records of one file. ``count`` are its records and ``newest`` the latest day that one
    of them is dated with."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.count = 0
        self.newest: date | None = None

    def fill(self, found: Iterable[Advisory | Enrichment]) -> None:
        for record in found:
            self.count += 1
            self.newest = max(filter(None, (self.newest, _dated(record))), default=None)
            for row in records.rows(record):
                self.add(row)

    def add(self, row: Row) -> None:
        data = _encoder.encode(row)
        self._file.write(len(data).to_bytes(4, "big") + data)

    def rows(self) -> Iterator[Row]:
        self._file.seek(0)
        while head := self._file.read(4):
            yield _decoder.decode(self._file.read(int.from_bytes(head, "big")))


@contextmanager
def spool(directory: Path) -> Iterator[Spool]:
    """A file in ``directory`` that is gone at the end."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory) as file:
        yield Spool(file)


def _dated(record: Advisory | Enrichment) -> date | None:
    if isinstance(record, Enrichment) and record.kev is not None:
        return record.kev.added
    return record.modified or record.published
