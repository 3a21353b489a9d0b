"""What pretend hosts write down about themselves: the record that judges a run."""

from __future__ import annotations

import time
from collections.abc import Iterator

from suture.core.documents import Document


class Entry(Document, frozen=True):
    """One thing that happened on a host. ``at`` is monotonic time in seconds; ``controller`` is the
    process that asked for it, 0 where nobody did.

    ``kind`` is ``asked`` (of a transaction that was there), ``refused`` (a lower fence), ``began``,
    ``no-bundle``, ``bundle`` (complete), ``changing``, ``version`` (what is installed from now on),
    ``ended``, ``interrupted``, ``boot``, or ``well`` (the host was looked at, and is in order).
    """

    seq: int
    at: float
    host: str
    kind: str
    step: str = ""
    transaction: str = ""
    fence: int = 0
    detail: str = ""
    controller: int = 0


class Record:
    """The entries of all hosts in the order in which they happened; only ever added to."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, host: str, kind: str, **fields: str | int) -> None:
        entry = Entry(len(self.entries) + 1, time.monotonic(), host, kind, **fields)  # type: ignore[arg-type]
        self.entries.append(entry)

    @property
    def head(self) -> int:
        """The number of the last entry."""
        return len(self.entries)

    def of(self, *kinds: str, host: str = "") -> Iterator[Entry]:
        for entry in list(self.entries):
            if entry.kind in kinds and host in ("", entry.host):
                yield entry
