"""What imported reports say of the fleet, held against our own findings when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa

from suture.core.assessment.configuration import ConfigurationFinding
from suture.core.documents import Document
from suture.core.intelligence import channels
from suture.core.intelligence.advisories import Rule, Severity
from suture.core.intelligence.advisory_index import AdvisoryIndex
from suture.core.inventory import Inventory
from suture.core.scanners.checks import is_undescribed
from suture.core.scanners.placing import Placement
from suture.core.scanners.reconciling import (
    Agreement,
    HostReconciliation,
    Likely,
    Ours,
    Theirs,
    reconcile,
)
from suture.core.scanners.scanner import Scanner, ScannerRecord
from suture.services import findings as own
from suture.services import fleet
from suture.services.assessing import Judged
from suture.services.collecting import clock
from suture.services.errors import NotFoundError
from suture.services.importing import directory_of
from suture.services.workspace import Workspace
from suture.store import events, observations, scanner_checks, scanner_lines, scanner_reports
from suture.store.database import Store
from suture.store.scanner_reports import SeenHost, StoredReport

_REMEDY = "download the KnowledgeBase from Qualys and take it in: suture import FILE"
_NEVER = datetime.min.replace(tzinfo=UTC)


class Misfit(StrEnum):
    """Why something of a report could not be placed."""

    UNKNOWN_HOST = "unknown-host"
    AMBIGUOUS_HOST = "ambiguous-host"
    WITHOUT_CVE = "without-cve"
    UNDECIDED = "undecided"


class Unplaced(Document, frozen=True):
    """A host, or the lines of one check, that could not be placed. ``subject`` is the host as the
    scanner calls it, or the check; ``lines`` counts what is open of it. ``remedy`` is what would
    place it, empty where that is left to the reader."""

    what: Misfit
    subject: str
    why: str
    lines: int
    remedy: str = ""


class HostResult(Document, frozen=True):
    """One host of a report in figures; ``how`` it was found, ``reasons`` why the sides differ."""

    host: str
    seen_as: str
    how: str
    agrees: int
    only_scanner: int
    only_us: int
    unknown: int
    configuration: int
    reasons: tuple[tuple[Likely, int], ...]


class Result(Document, frozen=True):
    """What a report came to. ``new`` is False where the file had been imported before."""

    report: StoredReport
    new: bool
    hosts: tuple[HostResult, ...]
    unplaced: tuple[Unplaced, ...]

    @property
    def incomplete(self) -> bool:
        """Whether a host could not be assessed: not told from others, never scanned by us, or
        with checks whose CVEs are not known; no host at all is enrolled; or the report itself says
        that it is not all."""
        ambiguous = any(one.what is Misfit.AMBIGUOUS_HOST for one in self.unplaced)
        unknown = any(one.unknown for one in self.hosts) or any(one.remedy for one in self.unplaced)
        truncated = bool(self.report.summary.truncated)
        return ambiguous or unknown or truncated or not self.hosts


class Comparison:
    """A report and its hosts, compared one after the other."""

    def __init__(self, workspace: Workspace, store: Store, report: StoredReport, only: str) -> None:
        self.report = report
        self._store = store
        self._misfits: dict[tuple[Misfit, str], Unplaced] = {}
        self._placed: dict[str, list[tuple[int, SeenHost]]] = {}
        self.how: dict[str, str] = {}
        with store.read() as connection:
            directory = directory_of(connection)
            seen = scanner_reports.hosts(connection, report.id)
            self._catalogue = _Catalogue(connection, report.scanner)
        for number, host in seen.items():
            placement = directory.place(host.seen)
            if not placement.host:
                self._leave(host, placement)
            elif only in ("", placement.host):
                self._placed.setdefault(placement.host, []).append((number, host))
                self.how[placement.host] = placement.how
        self._known = _Known(workspace, store, tuple(self._placed))

    def __iter__(self) -> Iterator[HostReconciliation]:
        for name, seen in sorted(self._placed.items()):
            theirs = self._theirs([number for number, _ in seen], [host for _, host in seen])
            compared = reconcile(name, theirs, self._known.about(name, theirs))
            for record, why, remedy in self._catalogue.reasons(self._store, compared.without_cve):
                self._add(Misfit.WITHOUT_CVE, _check(record), why, remedy=remedy)
            for record in compared.undecided:
                self._add(Misfit.UNDECIDED, _check(record), "the scanner could not tell")
            yield compared

    @property
    def unplaced(self) -> tuple[Unplaced, ...]:
        """Hosts first; the checks are complete once all hosts were compared."""
        order = list(Misfit)
        return tuple(
            sorted(
                self._misfits.values(),
                key=lambda one: (order.index(one.what), -one.lines, one.subject),
            )
        )

    def _theirs(self, numbers: Sequence[int], seen: Sequence[SeenHost]) -> Theirs:
        """What the report says of one enrolled host, which it may know under several names."""
        newest = max(seen, key=lambda host: host.seen_at or _NEVER)
        with self._store.read() as connection:
            return Theirs(
                seen=newest.seen,
                seen_at=newest.seen_at,
                records=scanner_lines.findings(connection, numbers),
                closed=scanner_lines.closed(connection, numbers),
                compares=self.report.summary.compares or self._catalogue.known,
                truncated=bool(self.report.summary.truncated),
            )

    def _leave(self, host: SeenHost, placement: Placement) -> None:
        what = Misfit.AMBIGUOUS_HOST if placement.candidates else Misfit.UNKNOWN_HOST
        among = f": {', '.join(placement.candidates[:5])}" if placement.candidates else ""
        self._add(what, host.seen.label, placement.how + among, host.open)

    def _add(self, what: Misfit, subject: str, why: str, lines: int = 1, remedy: str = "") -> None:
        known = self._misfits.get((what, subject))
        self._misfits[(what, subject)] = Unplaced(
            what, subject, why, lines + (known.lines if known else 0), remedy
        )


class _Catalogue:
    """Why lines have no CVE: the scanner has none, or the catalogue that would say it is missing
    or does not know the check."""

    def __init__(self, connection: sa.Connection, scanner: Scanner) -> None:
        self._needed = scanner is Scanner.QUALYS
        self._changed_at = scanner_checks.changed_at(connection) if self._needed else None

    @property
    def known(self) -> bool:
        return self._changed_at is not None

    def reasons(
        self, store: Store, records: Sequence[ScannerRecord]
    ) -> Iterator[tuple[ScannerRecord, str, str]]:
        """(line, why, what to do about it)."""
        described: Set[str] = frozenset(record.plugin for record in records)
        if self._needed:
            with store.read() as connection:
                described = scanner_checks.about(connection, described).keys()
        for record in records:
            if record.plugin in described or not is_undescribed(record):
                yield record, "the scanner names no CVE for it", ""
            elif self._changed_at is None:
                yield record, "Qualys names a QID alone, and its KnowledgeBase is not here", _REMEDY
            else:
                day = f"{self._changed_at:%Y-%m-%d}"
                yield record, f"the KnowledgeBase, last changed on {day}, has no such QID", _REMEDY


def _check(record: ScannerRecord) -> str:
    return f"{record.plugin}: {record.title}" if record.title else record.plugin


@contextmanager
def compared(workspace: Workspace, number: int, *, host: str = "") -> Iterator[Comparison]:
    """Report ``number`` against what we know now; ``host`` alone where it is given."""
    with fleet.opened(workspace) as store:
        report = _get(store, number)
        if host:
            fleet.chosen(workspace, names=(host,))
        yield Comparison(workspace, store, report, host)


def result(workspace: Workspace, number: int, *, new: bool = False) -> Result:
    """The figures of a report."""
    with compared(workspace, number) as comparison:
        figures = tuple(_figures(one, comparison.how[one.host]) for one in comparison)
        return Result(comparison.report, new, figures, comparison.unplaced)


def _figures(one: HostReconciliation, how: str) -> HostResult:
    return HostResult(
        host=one.host,
        seen_as=one.seen_as,
        how=how,
        agrees=one.count(Agreement.AGREES),
        only_scanner=one.count(Agreement.ONLY_SCANNER),
        only_us=one.count(Agreement.ONLY_US),
        unknown=one.count(Agreement.UNKNOWN),
        configuration=len(one.configuration),
        reasons=one.reasons,
    )


class _Known:
    """What we know of enrolled hosts, those that we have never scanned left out."""

    def __init__(self, workspace: Workspace, store: Store, names: Sequence[str]) -> None:
        self._assessed: dict[str, Judged] = {}
        if not names:
            return
        assessments, self._knowledge, _ = own.judged_fleet(workspace, names, (), None)
        self._assessed = {one.host.name: one for one in assessments}
        with store.query() as query:
            self._first = observations.first_seen(query)
            self._since = observations.unchanged_since(query)

    def about(self, host: str, theirs: Theirs) -> Ours | None:
        one = self._assessed.get(host)
        if one is None:
            return None
        cves = {cve for record in theirs.records for cve in record.cves}
        cves |= {finding.cve for finding in one.findings}
        return Ours(
            one.inventory,
            one.findings,
            _rules(one.inventory, self._knowledge.index, cves),
            first_seen=self._first[host],
            unchanged_since=self._since[host],
        )


def _rules(inventory: Inventory, index: AdvisoryIndex, cves: Set[str]) -> dict[str, list[Rule]]:
    """What is said about ``cves`` in the packages of a host."""
    found: dict[str, list[Rule]] = {}
    stream = channels.stream(inventory.os, inventory.archives)
    for package in inventory.packages.packages:
        for rule in index.about(inventory.os.release, package, cves, stream=stream):
            if rule not in found.setdefault(rule.cve, []):
                found[rule.cve].append(rule)
    return found


def listing(workspace: Workspace) -> tuple[StoredReport, ...]:
    """The imported reports, the newest first."""
    with fleet.opened(workspace) as store, store.read() as connection:
        return scanner_reports.listing(connection)


def remove(workspace: Workspace, number: int) -> StoredReport:
    """Forget a report; that it was there stays in the log."""
    with fleet.opened(workspace) as store:
        report = _get(store, number)
        with store.begin() as connection:
            scanner_reports.remove(connection, number)
            events.append(
                connection,
                at=clock(),
                kind="scanner-report.removed",
                subject=f"scanner-report {number}",
                data={"sha256": report.sha256},
            )
    return report


def _get(store: Store, number: int) -> StoredReport:
    with store.read() as connection:
        report = scanner_reports.get(connection, number)
    if report is None:
        raise NotFoundError(f"no report {number}", "List them: suture reports list")
    return report


def configuration(
    workspace: Workspace, *, names: Sequence[str] = (), labels: Sequence[str] = ()
) -> tuple[ConfigurationFinding, ...]:
    """What no patch closes, from the newest report of each scanner about each chosen host, the
    gravest first."""
    chosen = [host.name for host in fleet.chosen(workspace, names=names, labels=labels)]
    with fleet.opened(workspace) as store, store.read() as connection:
        of = {
            number: scan
            for scan in scanner_reports.latest(connection, chosen)
            for number in scan.numbers
        }
        found = [
            _finding(of[number].host, of[number].scanner, line)
            for number, line in scanner_lines.configuration(connection, sorted(of))
        ]
    gravity = list(Severity)
    return tuple(sorted(found, key=lambda one: (-gravity.index(one.severity), one.host, one.check)))


def _finding(host: str, scanner: Scanner, line: ScannerRecord) -> ConfigurationFinding:
    where = f" ({line.port}/{line.protocol})" if line.port else ""
    return ConfigurationFinding(
        host=host,
        check=f"{scanner.value} {line.plugin}",
        title=line.title + where,
        severity=line.severity,
        remedy=line.solution,
    )
