"""The lines of imported reports, with what the scanner's catalogue says now of those that name a
check alone."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from suture.core.documents import decode
from suture.core.scanners.checks import (
    check_of,
    closed_cves,
    informed,
    names_check_alone,
)
from suture.core.scanners.scanner import Scanner, ScannerRecord, ScannerState
from suture.store import scanner_checks
from suture.store.tables import scanner_findings, scanner_hosts, scanner_reports

_PART = 500  # values in one IN (…)
_OPEN = (ScannerState.VULNERABILITY.value, ScannerState.CONFIGURATION.value)


def findings(connection: sa.Connection, numbers: Sequence[int]) -> tuple[ScannerRecord, ...]:
    """The lines about hosts, in the report's order; their ``host`` is left out."""
    query = sa.select(scanner_findings.c.document).order_by(scanner_findings.c.id)
    rows = connection.execute(query.where(scanner_findings.c.scanner_host.in_(numbers)))
    return _informed(connection, [decode(row.document, ScannerRecord) for row in rows])


def closed(connection: sa.Connection, numbers: Sequence[int]) -> frozenset[str]:
    """The CVEs that the scanner looked for on hosts and did not find."""
    query = sa.select(scanner_hosts.c.closed).where(scanner_hosts.c.id.in_(numbers))
    packed = [zlib.decompress(row.closed).decode() for row in connection.execute(query)]
    words = frozenset(word for one in packed for word in one.split())
    checks = scanner_checks.about(connection, set(map(check_of, words)) - {""})
    return closed_cves(words, checks)


def open_cves(
    connection: sa.Connection, numbers: Sequence[int]
) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """(host's number, plugin, CVEs) of what a scanner calls open on hosts."""
    query = sa.select(
        scanner_findings.c.scanner_host, scanner_findings.c.plugin, scanner_findings.c.cves
    ).where(scanner_findings.c.state.in_(_OPEN), scanner_findings.c.cves != "")
    for part in _parts(numbers):
        for row in connection.execute(query.where(scanner_findings.c.scanner_host.in_(part))):
            yield row.scanner_host, row.plugin, tuple(row.cves.split())
    for number, record in _told_by_catalogue(connection, numbers):
        if record.cves:
            yield number, record.plugin, record.cves


def naming(
    connection: sa.Connection, numbers: Sequence[int], cve: str
) -> Iterator[tuple[int, ScannerRecord]]:
    """(host's number, line) of all that names ``cve``."""
    words = sa.literal(" ").concat(scanner_findings.c.cves).concat(" ")
    query = (
        sa.select(scanner_findings.c.scanner_host, scanner_findings.c.document)
        .where(words.contains(f" {cve} ", autoescape=True))
        .order_by(scanner_findings.c.id)
    )
    for part in _parts(numbers):
        for row in connection.execute(query.where(scanner_findings.c.scanner_host.in_(part))):
            yield row.scanner_host, decode(row.document, ScannerRecord)
    for number, record in _told_by_catalogue(connection, numbers):
        if cve in record.cves:
            yield number, record


def configuration(
    connection: sa.Connection, numbers: Sequence[int]
) -> Iterator[tuple[int, ScannerRecord]]:
    """(host's number, line) of what no patch closes."""
    query = sa.select(scanner_findings.c.scanner_host, scanner_findings.c.document).where(
        scanner_findings.c.state == ScannerState.CONFIGURATION.value
    )
    for part in _parts(numbers):
        for row in connection.execute(query.where(scanner_findings.c.scanner_host.in_(part))):
            record = decode(row.document, ScannerRecord)
            if not names_check_alone(record):
                yield row.scanner_host, record
    for number, record in _told_by_catalogue(connection, numbers):
        if record.state is ScannerState.CONFIGURATION:
            yield number, record


def _told_by_catalogue(
    connection: sa.Connection, numbers: Sequence[int]
) -> Iterator[tuple[int, ScannerRecord]]:
    """(host's number, line) of what is open and names a check alone, as the catalogue has it."""
    query = (
        sa.select(scanner_findings.c.scanner_host, scanner_findings.c.document)
        .join(scanner_hosts, scanner_hosts.c.id == scanner_findings.c.scanner_host)
        .join(scanner_reports, scanner_reports.c.id == scanner_hosts.c.report)
        .where(
            scanner_reports.c.scanner == Scanner.QUALYS.value,
            scanner_findings.c.state.in_(_OPEN),
            scanner_findings.c.cves == "",
        )
        .order_by(scanner_findings.c.id)
    )
    for part in _parts(numbers):
        rows = connection.execute(query.where(scanner_findings.c.scanner_host.in_(part))).all()
        records = [decode(row.document, ScannerRecord) for row in rows]
        told = _informed(connection, records)
        yield from zip((row.scanner_host for row in rows), told, strict=True)


def _informed(
    connection: sa.Connection, records: Sequence[ScannerRecord]
) -> tuple[ScannerRecord, ...]:
    alone = {record.plugin for record in records if names_check_alone(record)}
    checks = scanner_checks.about(connection, alone)
    return tuple(
        informed(record, checks.get(record.plugin)) if names_check_alone(record) else record
        for record in records
    )


def _parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), _PART):
        yield numbers[start : start + _PART]
