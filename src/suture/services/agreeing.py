"""What other scanners say: of our own findings, and of a CVE of which nobody else knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.assessment.findings import Finding
from suture.core.documents import Document
from suture.core.intelligence.advisories import Severity
from suture.core.scanners.scanner import Scanner, ScannerState
from suture.store import scanner_lines, scanner_reports


class ScannerWord(Document, frozen=True):
    """What the newest report of a scanner says of one CVE on one host. ``seen_at`` is when it
    looked, None where it does not say, ``report`` the number of the import. ``check`` and what
    follows are empty where it looked for the CVE and did not find it."""

    scanner: Scanner
    seen_at: datetime | None
    report: int
    state: ScannerState
    check: str = ""
    title: str = ""
    severity: Severity = Severity.UNKNOWN
    solution: str = ""


def with_agreement(connection: sa.Connection, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings, with a reason more for each scanner whose newest report names them too."""
    scans = scanner_reports.latest(connection, {finding.host for finding in findings})
    of = {number: scan for scan in scans for number in scan.numbers}
    also: dict[tuple[str, str], dict[str, str]] = {}
    for number, plugin, cves in scanner_lines.open_cves(connection, sorted(of)):
        scan = of[number]
        day = f" on {scan.seen_at:%Y-%m-%d}" if scan.seen_at else ""
        says = f"{scan.scanner.label} saw it too{day} (check {plugin})"
        for cve in cves:
            also.setdefault((scan.host, cve), {}).setdefault(scan.scanner, says)
    return tuple(
        replace(one, reasons=(*one.reasons, *also[(one.host, one.cve)].values()))
        if (one.host, one.cve) in also
        else one
        for one in findings
    )


def said_of(
    connection: sa.Connection, hosts: Sequence[str], cve: str
) -> dict[str, tuple[ScannerWord, ...]]:
    """By host what scanners say of ``cve``; hosts of which none says anything are left out."""
    found: dict[str, list[ScannerWord]] = {}
    for scan in scanner_reports.latest(connection, hosts):
        about = scan.scanner, scan.seen_at, scan.report
        words = [
            ScannerWord(*about, line.state, line.plugin, line.title, line.severity, line.solution)
            for _, line in scanner_lines.naming(connection, scan.numbers, cve)
        ]
        if not words and cve in scanner_lines.closed(connection, scan.numbers):
            words = [ScannerWord(*about, ScannerState.CLOSED)]
        if words:
            found.setdefault(scan.host, []).extend(words)
    return {host: tuple(words) for host, words in found.items()}
