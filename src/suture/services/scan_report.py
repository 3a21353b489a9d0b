"""What ``suture scan --json`` prints: a stable shape, documented in ``docs/scan-json.md``.

Fields are added, never renamed or removed, without a new major version.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from suture.core.assessment.findings import Finding
from suture.core.assessment.matching import UnnamedUpdate
from suture.core.documents import Document
from suture.core.inventory import Inventory
from suture.core.selection.ledger import Ledger, Reason
from suture.hosts.transport import HostFailure


class ScanFinding(Document, frozen=True):
    cve: str
    package: str
    source: str
    installed: str
    fixed: str | None
    state: str
    rank: int
    reasons: tuple[str, ...]
    severity: str
    packages: tuple[str, ...]


class LedgerLine(Document, frozen=True):
    package: str
    from_: str = msgspec.field(name="from")
    to: str
    reason: Reason
    detail: str


class LedgerReport(Document, frozen=True):
    available: int
    entries: tuple[LedgerLine, ...]


class Restart(Document, frozen=True):
    """A running process that still uses what was replaced on disk."""

    unit: str
    command: str
    path: str
    package: str


class HostScan(Document, frozen=True):
    host: str
    os: str
    collected_at: datetime
    packages: int
    findings: tuple[ScanFinding, ...]
    ledger: LedgerReport
    reboot_required: bool
    restarts: tuple[Restart, ...]
    arch: str
    kernel: str
    unnamed_updates: tuple[UnnamedUpdate, ...]
    third_party: tuple[str, ...]
    indexes_age_s: float | None
    notes: tuple[str, ...]


class ScanReport(Document, frozen=True):
    """``failed`` are the hosts that could not be assessed: unknown, which is not fine."""

    hosts: tuple[HostScan, ...]
    failed: tuple[HostFailure, ...]


def host_scan(
    inventory: Inventory,
    findings: tuple[Finding, ...],
    ledger: Ledger,
    unnamed: tuple[UnnamedUpdate, ...],
) -> HostScan:
    """One host's part of the report."""
    return HostScan(
        host=inventory.host,
        os=inventory.os.title,
        collected_at=inventory.collected_at,
        packages=len(inventory.packages.packages),
        findings=tuple(
            ScanFinding(
                cve=finding.cve,
                package=finding.package,
                source=finding.source,
                installed=finding.installed,
                fixed=finding.fixed,
                state=finding.state.value,
                rank=finding.rank,
                reasons=finding.reasons,
                severity=finding.severity.value,
                packages=finding.packages,
            )
            for finding in findings
        ),
        ledger=LedgerReport(
            available=ledger.available,
            entries=tuple(
                LedgerLine(
                    package=entry.package,
                    from_=entry.installed,
                    to=entry.available,
                    reason=entry.reason,
                    detail=entry.detail,
                )
                for entry in ledger.entries
            ),
        ),
        reboot_required=inventory.reboot_required,
        restarts=tuple(
            Restart(unit=one.unit, command=one.command, path=one.path, package=one.package)
            for one in inventory.stale
        ),
        arch=inventory.arch,
        kernel=inventory.kernel.running,
        unnamed_updates=unnamed,
        third_party=inventory.third_party,
        indexes_age_s=inventory.indexes_age_s,
        notes=inventory.notes,
    )
