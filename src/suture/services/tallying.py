"""What is counted of a scanner's report while it is read, in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import datetime

import msgspec

from suture.core.scanners.checks import closed_by
from suture.core.scanners.scanner import ScannerHost, ScannerRecord, ScannerState
from suture.reading import UnreadableError
from suture.store.scanner_reports import KeptHost, Summary

MAX_HOSTS = 200_000
MAX_LINES = 20_000_000
MAX_CLOSED = 20_000_000  # what lines call closed, 4 bytes each
MAX_WORDS = 1_000_000

OPEN = frozenset({ScannerState.VULNERABILITY, ScannerState.CONFIGURATION, ScannerState.UNKNOWN})


class _Host(msgspec.Struct):
    """``closed`` are numbers of words of :func:`closed_by`, some more than once."""

    place: int
    closed: array[int]
    open: int = 0
    seen_at: datetime | None = None


class Tally:
    """Hosts in the order in which they came, and how many lines there were of each kind."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._hosts: dict[ScannerHost, _Host] = {}
        self._words: dict[str, int] = {}
        self._closed = 0
        self._lines = dict.fromkeys(ScannerState, 0)
        self._compares = False
        self.count = 0
        self.truncated = ""
        self.seen_from: datetime | None = None
        self.seen_until: datetime | None = None

    def add(self, record: ScannerRecord) -> int:
        """Answers the place of the record's host; raises :class:`UnreadableError` where there is
        too much of something."""
        host = self._hosts.get(record.host)
        if host is None:
            host = self._hosts[record.host] = _Host(len(self._hosts), array("I"))
        self.count += 1
        self._lines[record.state] += 1
        self._compares = self._compares or bool(record.cves)
        host.open += record.state in OPEN
        if record.state is ScannerState.CLOSED:
            words = closed_by(record)
            self._closed += len(words)
            host.closed.extend(self._words.setdefault(word, len(self._words)) for word in words)
        if record.seen_at is not None:
            host.seen_at = max(host.seen_at or record.seen_at, record.seen_at)
            self.seen_from = min(self.seen_from or record.seen_at, record.seen_at)
            self.seen_until = max(self.seen_until or record.seen_at, record.seen_at)
        if (
            self.count > MAX_LINES
            or len(self._hosts) > MAX_HOSTS
            or self._closed > MAX_CLOSED
            or len(self._words) > MAX_WORDS
        ):
            raise UnreadableError(f"{self._name} is too large; split it")
        return host.place

    def hosts(self) -> Iterator[KeptHost]:
        names = list(self._words)
        for seen, host in self._hosts.items():
            closed = tuple(sorted({names[number] for number in host.closed}))
            yield KeptHost(seen, host.seen_at, host.open, closed)

    def __len__(self) -> int:
        return len(self._hosts)

    def summary(self, format_: str) -> Summary:
        return Summary(format_, len(self), dict(self._lines), self._compares, self.truncated)
