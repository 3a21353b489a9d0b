"""Our own findings with a word on which other scanners see them too."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.assessment.findings import Finding
from suture.store import scanner_reports


def with_agreement(connection: sa.Connection, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings, with a reason more for each scanner whose newest report names them too."""
    scans = scanner_reports.latest(connection, {finding.host for finding in findings})
    of = {number: scan for scan in scans for number in scan.numbers}
    also: dict[tuple[str, str], dict[str, str]] = {}
    for number, plugin, cves in scanner_reports.open_cves(connection, sorted(of)):
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
