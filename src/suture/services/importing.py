"""Taking over another scanner's report: whole or not at all, and each file once."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.documents import Document, encode
from suture.core.placing import Directory
from suture.core.scanner import ScannerHost, ScannerRecord, ScannerState
from suture.imports import scanners
from suture.imports.scanners import Format
from suture.reading import UnreadableError
from suture.services import fleet
from suture.services.collecting import clock
from suture.services.errors import ServiceError
from suture.services.workspace import Workspace
from suture.store import events, hosts, scanner_reports
from suture.store.database import Store
from suture.store.scanner_reports import SeenHost, StoredReport, Summary

MAX_HOSTS = 200_000
MAX_LINES = 20_000_000
MAX_CLOSED = 5_000_000  # CVEs that a report calls closed, over all hosts
_STEP = 1000

Progress = Callable[[str, str], None]
Line = tuple[int, ScannerRecord]

_decoder = msgspec.json.Decoder(Line)


def import_report(
    workspace: Workspace, file: Path, progress: Progress = lambda file, what: None
) -> tuple[StoredReport, bool]:
    """Keep the report in ``file`` (``-`` is standard input); answers it, and whether it is new.

    A file that is known already only has its hosts placed again, where some were not.
    Raises :class:`ServiceError` where the file is none, or is damaged; nothing of it is kept then.
    """
    with fleet.opened(workspace) as store, _on_disk(workspace, file) as path:
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        with store.read() as connection:
            known = scanner_reports.with_hash(connection, sha256)
        if known is not None:
            _place_again(store)
            return known, False
        try:
            return _kept(store, workspace, path, sha256, progress), True
        except UnreadableError as error:
            raise ServiceError(error.message, f"Known are {scanners.KNOWN}.") from error


@contextmanager
def _on_disk(workspace: Workspace, file: Path) -> Iterator[Path]:
    """A file that can be read twice."""
    if str(file) != "-":
        yield file
        return
    with tempfile.TemporaryDirectory(dir=workspace.home, prefix="import-") as directory:
        path = Path(directory) / "standard input"
        with path.open("xb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        yield path


def _kept(
    store: Store, workspace: Workspace, path: Path, sha256: str, progress: Progress
) -> StoredReport:
    """The lines wait in a file until all were read, so that the database is locked shortly."""
    format_ = scanners.recognise(path)
    with tempfile.TemporaryFile(dir=workspace.home) as waiting:
        read = _read(path, format_, waiting, progress)
        progress(path.name, "storing")
        with store.begin() as connection:
            again = scanner_reports.with_hash(connection, sha256)
            if again is not None:
                return again
            directory = _directory(connection)
            report = _report(path, sha256, format_, read)
            seen = [(one, directory.place(one.seen).host or None) for one in read.hosts]
            number = scanner_reports.add(connection, report, seen, _lines(waiting))
            report = replace(report, id=number)
            events.append(
                connection,
                at=report.imported_at,
                kind="scanner-report.imported",
                subject=f"scanner-report {number}",
                data=report,
            )
    return report


def _directory(connection: sa.Connection) -> Directory:
    return Directory(hosts.listing(connection), scanner_reports.learned(connection))


def _place_again(store: Store) -> None:
    """Hosts may have been enrolled since the reports about them came."""
    with store.begin() as connection:
        directory = _directory(connection)
        for number, seen in scanner_reports.unplaced(connection):
            if host := directory.place(seen).host:
                scanner_reports.place(connection, number, host)


class _Tally(msgspec.Struct):
    """What is counted of a host while a report is read."""

    place: int
    lines: dict[ScannerState, int]
    closed: set[str]
    cves: bool = False
    seen_from: datetime | None = None
    seen_until: datetime | None = None


class _Read(Document, frozen=True):
    """What was read of a report, but for its lines."""

    hosts: tuple[SeenHost, ...]
    lines: dict[ScannerState, int]
    compares: bool
    seen_from: datetime | None
    seen_until: datetime | None


_KEPT = frozenset({ScannerState.VULNERABILITY, ScannerState.CONFIGURATION, ScannerState.UNKNOWN})


def _read(path: Path, format_: Format, waiting: IO[bytes], progress: Progress) -> _Read:
    tallies: dict[ScannerHost, _Tally] = {}
    closed = 0
    for count, record in enumerate(format_.read(path), 1):
        tally = tallies.get(record.host)
        if tally is None:
            tally = tallies[record.host] = _Tally(len(tallies), {}, set())
        closed += _count(tally, record)
        if count > MAX_LINES or len(tallies) > MAX_HOSTS or closed > MAX_CLOSED:
            raise UnreadableError(f"{path.name} is too large; split it")
        if record.state in _KEPT:
            waiting.write(encode((tally.place, record)) + b"\n")
        if count % _STEP == 0:
            progress(path.name, f"{count:,} lines of {len(tallies):,} hosts")
    if not tallies:
        raise UnreadableError(f"{path.name} is a {format_.name} report without a result")
    return _all(tallies)


def _all(tallies: dict[ScannerHost, _Tally]) -> _Read:
    lines = dict.fromkeys(ScannerState, 0)
    for tally in tallies.values():
        for state, count in tally.lines.items():
            lines[state] += count
    seen = [tally for tally in tallies.values() if tally.seen_from and tally.seen_until]
    return _Read(
        hosts=tuple(
            SeenHost(
                seen=host,
                seen_at=tally.seen_until,
                closed=tuple(sorted(tally.closed)),
                open=sum(tally.lines.get(state, 0) for state in _KEPT),
            )
            for host, tally in tallies.items()
        ),
        lines=lines,
        compares=any(tally.cves for tally in tallies.values()),
        seen_from=min((tally.seen_from for tally in seen if tally.seen_from), default=None),
        seen_until=max((tally.seen_until for tally in seen if tally.seen_until), default=None),
    )


def _count(tally: _Tally, record: ScannerRecord) -> int:
    """Answers how many CVEs are newly known as closed."""
    before = len(tally.closed)
    tally.lines[record.state] = tally.lines.get(record.state, 0) + 1
    tally.cves = tally.cves or bool(record.cves)
    if record.state is ScannerState.CLOSED:
        tally.closed.update(sys.intern(cve) for cve in record.cves)
    if record.seen_at is not None:
        tally.seen_from = min(tally.seen_from or record.seen_at, record.seen_at)
        tally.seen_until = max(tally.seen_until or record.seen_at, record.seen_at)
    return len(tally.closed) - before


def _lines(waiting: IO[bytes]) -> Iterator[Line]:
    waiting.seek(0)
    for line in waiting:
        yield _decoder.decode(line)


def _report(path: Path, sha256: str, format_: Format, read: _Read) -> StoredReport:
    return StoredReport(
        id=0,
        scanner=format_.scanner,
        name=path.name[:255],
        sha256=sha256,
        imported_at=clock(),
        seen_from=read.seen_from,
        seen_until=read.seen_until,
        summary=Summary(
            format=format_.name, hosts=len(read.hosts), lines=read.lines, compares=read.compares
        ),
    )
