"""Other scanners' reports, as they were read. What they mean is derived when it is asked for."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime

import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.documents import Document, decode, encode
from suture.core.scanners.scanner import Scanner, ScannerHost, ScannerRecord, ScannerState
from suture.store.tables import scanner_findings, scanner_hosts, scanner_reports

_BATCH = 2000
_NOBODY = ScannerHost()


class Summary(Document, frozen=True, omit_defaults=True):
    """What is in a report: ``format`` in words, hosts, and lines by the kind of line.
    ``compares``: whether it is about CVEs at all. ``truncated``: the scanner's words on why it is
    not all that there is, empty where it does not say so."""

    format: str
    hosts: int
    lines: dict[ScannerState, int]
    compares: bool
    truncated: str = ""


class StoredReport(Document, frozen=True):
    """``seen_from`` to ``seen_until`` is when the scanner looked, None where it does not say."""

    id: int
    scanner: Scanner
    name: str
    sha256: str
    imported_at: datetime
    seen_from: datetime | None
    seen_until: datetime | None
    summary: Summary


class SeenHost(Document, frozen=True, omit_defaults=True):
    """A host of a report. ``open`` is the number of its lines about what is open, or what the
    scanner could not tell."""

    seen: ScannerHost
    seen_at: datetime | None = None
    open: int = 0


class KeptHost(SeenHost, frozen=True, omit_defaults=True):
    """With what the scanner looked for and did not find, in the words of
    :func:`suture.core.scanners.checks.closed_by`; there may be thousands."""

    closed: tuple[str, ...] = ()


def add(
    connection: sa.Connection,
    report: StoredReport,
    hosts: Iterable[tuple[KeptHost, str | None]],
    lines: Iterable[tuple[int, ScannerRecord]],
) -> int:
    """Keep a report and answer its number. ``hosts`` come with the enrolled host that each is,
    where that is clear; ``lines`` name theirs by its place in ``hosts``."""
    values = {name: getattr(report, name) for name in report.__struct_fields__ if name != "id"}
    number = _added(connection, scanner_reports, values | {"summary": encode(report.summary)})
    ids = [_add_host(connection, number, kept, host) for kept, host in hosts]
    batch = []
    for place, record in lines:
        batch.append(
            {
                "scanner_host": ids[place],
                "plugin": record.plugin,
                "state": record.state.value,
                "cves": " ".join(record.cves),
                "document": encode(replace(record, host=_NOBODY)),
            }
        )
        if len(batch) == _BATCH:
            connection.execute(sa.insert(scanner_findings), batch)
            batch = []
    if batch:
        connection.execute(sa.insert(scanner_findings), batch)
    return number


def _add_host(connection: sa.Connection, report: int, kept: KeptHost, host: str | None) -> int:
    values = {
        "report": report,
        "host": host,
        "seen_at": kept.seen_at,
        "ids": " ".join(kept.seen.ids),
        "closed": zlib.compress(" ".join(kept.closed).encode(), 3),
        "document": encode(SeenHost(kept.seen, kept.seen_at, kept.open)),
    }
    return _added(connection, scanner_hosts, values)


def _added(connection: sa.Connection, table: sa.Table, values: Mapping[str, object]) -> int:
    key = connection.execute(sa.insert(table).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def listing(connection: sa.Connection) -> tuple[StoredReport, ...]:
    """All reports, the newest first."""
    rows = connection.execute(sa.select(scanner_reports).order_by(scanner_reports.c.id.desc()))
    return tuple(_report(row) for row in rows)


def get(connection: sa.Connection, number: int) -> StoredReport | None:
    query = sa.select(scanner_reports).where(scanner_reports.c.id == number)
    row = connection.execute(query).one_or_none()
    return _report(row) if row else None


def with_hash(connection: sa.Connection, sha256: str) -> StoredReport | None:
    query = sa.select(scanner_reports).where(scanner_reports.c.sha256 == sha256)
    row = connection.execute(query).one_or_none()
    return _report(row) if row else None


def remove(connection: sa.Connection, number: int) -> None:
    of_report = sa.select(scanner_hosts.c.id).where(scanner_hosts.c.report == number)
    connection.execute(
        sa.delete(scanner_findings).where(scanner_findings.c.scanner_host.in_(of_report))
    )
    connection.execute(sa.delete(scanner_hosts).where(scanner_hosts.c.report == number))
    connection.execute(sa.delete(scanner_reports).where(scanner_reports.c.id == number))


def hosts(connection: sa.Connection, report: int) -> dict[int, SeenHost]:
    """The hosts of a report by the numbers that :mod:`suture.store.scanner_lines` takes."""
    query = sa.select(scanner_hosts.c.id, scanner_hosts.c.document)
    rows = connection.execute(query.where(scanner_hosts.c.report == report))
    return {row.id: decode(row.document, SeenHost) for row in rows}


def learned(connection: sa.Connection) -> dict[str, str]:
    """Agent id → the enrolled host that it was last placed at."""
    query = (
        sa.select(scanner_hosts.c.ids, scanner_hosts.c.host)
        .where(scanner_hosts.c.ids != "", scanner_hosts.c.host.is_not(None))
        .order_by(scanner_hosts.c.id)
    )
    return {id_: row.host for row in connection.execute(query) for id_ in row.ids.split()}


def unplaced(connection: sa.Connection) -> tuple[tuple[int, ScannerHost], ...]:
    """(number, host) of all reports' hosts that are no enrolled ones as yet."""
    query = sa.select(scanner_hosts.c.id, scanner_hosts.c.document)
    rows = connection.execute(query.where(scanner_hosts.c.host.is_(None)))
    return tuple((row.id, decode(row.document, SeenHost).seen) for row in rows)


def place(connection: sa.Connection, number: int, host: str) -> None:
    """Let a host of a report be the enrolled ``host`` from now on."""
    where = scanner_hosts.c.id == number
    connection.execute(sa.update(scanner_hosts).where(where).values(host=host))


class LatestScan(Document, frozen=True):
    """The newest word of one scanner on one enrolled host."""

    host: str
    scanner: Scanner
    seen_at: datetime | None
    report: int
    numbers: tuple[int, ...]


def latest(connection: sa.Connection, names: Iterable[str]) -> tuple[LatestScan, ...]:
    """One for each of the enrolled hosts ``names`` and each scanner that has seen it."""
    wanted = set(names)
    query = (
        sa.select(
            scanner_hosts.c.id,
            scanner_hosts.c.host,
            scanner_hosts.c.seen_at,
            scanner_hosts.c.report,
            scanner_reports.c.scanner,
            scanner_reports.c.imported_at,
        )
        .join(scanner_reports, scanner_reports.c.id == scanner_hosts.c.report)
        .where(scanner_hosts.c.host.is_not(None))
    )
    newest: dict[tuple[str, str], LatestScan] = {}
    age: dict[tuple[str, str], tuple[datetime, int]] = {}
    for row in connection.execute(query):
        key = (row.host, row.scanner)
        when = (row.seen_at or row.imported_at, row.report)
        if row.host not in wanted or (key in age and when < age[key]):
            continue
        same = key in newest and newest[key].report == row.report
        numbers = (*newest[key].numbers, row.id) if same else (row.id,)
        age[key] = when
        newest[key] = LatestScan(row.host, Scanner(row.scanner), row.seen_at, row.report, numbers)
    return tuple(newest.values())


def _report(row: sa.Row[tuple[object, ...]]) -> StoredReport:
    values = dict(row._mapping)
    values["scanner"] = Scanner(values["scanner"])
    values["summary"] = decode(values["summary"], Summary)
    return StoredReport(**values)
