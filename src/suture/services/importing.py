"""Taking over another scanner's file: whole or not at all, and each report once."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.documents import Document, encode
from suture.core.scanners.placing import Directory
from suture.core.scanners.scanner import ScannerRecord, Truncated
from suture.imports import scanners
from suture.imports.scanners import Catalogue, Format
from suture.reading import UnreadableError
from suture.services import fleet, knowledge_bases
from suture.services.collecting import Progress, clock
from suture.services.errors import ServiceError
from suture.services.knowledge_bases import KnowledgeBase
from suture.services.tallying import OPEN, Tally
from suture.services.workspace import Workspace
from suture.store import events, hosts, observations, scanner_reports
from suture.store.database import Store, query_of
from suture.store.scanner_reports import StoredReport

_STEP = 1000

Line = tuple[int, ScannerRecord]


class Imported(Document, frozen=True):
    """``new`` is False where the file had been imported before."""

    report: StoredReport
    new: bool


_decoder = msgspec.json.Decoder(Line)


def import_file(
    workspace: Workspace, file: Path, progress: Progress = lambda file, what: None
) -> Imported | KnowledgeBase:
    """Keep the report in ``file`` (``-`` is standard input), or what a scanner says of its checks.

    A report that is known already only has its hosts placed again, where some were not.
    Raises :class:`ServiceError` where the file is neither, or is damaged; nothing of it is kept
    then.
    """
    with fleet.opened(workspace) as store, _on_disk(workspace, file) as path:
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        with store.read() as connection:
            known = scanner_reports.with_hash(connection, sha256)
        if known is not None:
            _place_again(store)
            return Imported(known, new=False)
        try:
            format_ = scanners.recognise(path)
            if isinstance(format_, Catalogue):
                return knowledge_bases.keep(store, workspace, path, format_, progress)
            read = format_.read(path)
            kept = keep(store, workspace, path.name, format_, sha256, read, progress)
            return Imported(kept, new=True)
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


def keep(
    store: Store,
    workspace: Workspace,
    name: str,
    format_: Format,
    sha256: str,
    records: Iterable[ScannerRecord | Truncated],
    progress: Progress,
) -> StoredReport:
    """Keep ``records`` as a report. They wait in a file until all were read, so that the database
    is locked shortly. Raises :class:`UnreadableError` where there are none, or too many."""
    with tempfile.TemporaryFile(dir=workspace.home) as waiting:
        tally = _read(name, format_, records, waiting, progress)
        progress(name, "storing")
        with store.begin() as connection:
            again = scanner_reports.with_hash(connection, sha256)
            if again is not None:
                return again
            directory = directory_of(connection)
            report = _report(name, sha256, format_, tally)
            seen = ((one, directory.place(one.seen).host or None) for one in tally.hosts())
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


def directory_of(connection: sa.Connection) -> Directory:
    """The enrolled hosts by all that is known of them."""
    return Directory(
        hosts.listing(connection),
        observations.identities(query_of(connection)),
        scanner_reports.learned(connection),
    )


def _place_again(store: Store) -> None:
    """Hosts may have been enrolled since the reports about them came."""
    with store.begin() as connection:
        directory = directory_of(connection)
        for number, seen in scanner_reports.unplaced(connection):
            if host := directory.place(seen).host:
                scanner_reports.place(connection, number, host)


def _read(
    name: str,
    format_: Format,
    records: Iterable[ScannerRecord | Truncated],
    waiting: IO[bytes],
    progress: Progress,
) -> Tally:
    tally = Tally(name)
    for record in records:
        if isinstance(record, Truncated):
            tally.truncated = record.why
            continue
        place = tally.add(record)
        if record.state in OPEN:
            waiting.write(encode((place, record)) + b"\n")
        if tally.count % _STEP == 0:
            progress(name, f"{tally.count:,} lines of {len(tally):,} hosts")
    if not tally:
        raise UnreadableError(f"{name} is a {format_.name} report without a result")
    return tally


def _lines(waiting: IO[bytes]) -> Iterator[Line]:
    waiting.seek(0)
    for line in waiting:
        yield _decoder.decode(line)


def _report(name: str, sha256: str, format_: Format, tally: Tally) -> StoredReport:
    return StoredReport(
        id=0,
        scanner=format_.scanner,
        name=name[:255],
        sha256=sha256,
        imported_at=clock(),
        seen_from=tally.seen_from,
        seen_until=tally.seen_until,
        summary=tally.summary(format_.name),
    )
