"""A scanner's word on one host held against our own, with the likely reason for each difference.

Reasons are guesses made from what both sides have said, the surest first; none of them closes a
finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from suture.core.assessment.findings import Finding, FindingState
from suture.core.documents import Document
from suture.core.intelligence.advisories import FixState, Rule, Severity
from suture.core.inventory import Inventory, Package, PackageState
from suture.core.scanners.scanner import PackageEvidence, ScannerHost, ScannerRecord, ScannerState


class Agreement(StrEnum):
    """UNKNOWN: we have never looked at the host, so there is nothing to compare."""

    AGREES = "agrees"
    ONLY_SCANNER = "only-scanner"
    ONLY_US = "only-us"
    UNKNOWN = "unknown"


class Likely(StrEnum):
    """Why one side alone sees a vulnerability."""

    NEVER_SCANNED = "never-scanned"
    INVENTORY_OLDER = "inventory-older"
    PATCHED_SINCE = "patched-since"
    NOT_INSTALLED = "not-installed"
    NOT_AFFECTED = "not-affected"
    BACKPORT = "backport"
    OTHER_KERNEL = "other-kernel"
    THIRD_PARTY = "third-party"
    NO_CREDENTIALS = "no-credentials"
    NO_ADVISORY = "no-advisory"
    SCANNER_SAYS_CLOSED = "scanner-says-closed"
    NEEDS_RESTART = "needs-restart"
    NEW_ADVISORY = "new-advisory"
    CHANGED_SINCE = "changed-since"
    NO_FIX = "no-fix"
    TRUNCATED = "truncated"
    NO_CHECK = "no-check"


class Ours:
    """What we know of a host. ``rules`` are what advisories say of its packages, by CVE.
    ``first_seen`` is when we first looked, ``unchanged_since`` since when we have seen its
    packages as they are; the two are one where they never changed before our eyes."""

    def __init__(
        self,
        inventory: Inventory,
        findings: Sequence[Finding],
        rules: Mapping[str, Sequence[Rule]],
        first_seen: datetime,
        unchanged_since: datetime,
    ) -> None:
        self.inventory = inventory
        self.first_seen = first_seen
        self._unchanged_since = unchanged_since
        self.findings = findings
        self.rules = rules
        self.third_party = {key.partition(":")[0] for key in inventory.third_party}
        self._named: dict[str, list[Package]] = {}
        self._sources: dict[str, list[Package]] = {}
        for package in inventory.packages.packages:
            if package.state is not PackageState.RESIDUAL:
                self._named.setdefault(package.name, []).append(package)
                self._sources.setdefault(package.source, []).append(package)

    def changed_after(self, when: datetime | None) -> datetime | None:
        """When packages were first seen to differ from before, where that was after ``when``."""
        changed = self._unchanged_since
        return changed if when and changed > max(when, self.first_seen) else None

    def named(self, name: str) -> list[Package]:
        return self._named.get(name, [])

    def concerned(self, rule: Rule) -> list[Package]:
        """Rules are about source packages with dpkg, and about binary ones with rpm."""
        return self._sources.get(rule.package) or self.named(rule.package)


class Theirs(Document, frozen=True):
    """What one report says of a host. ``closed`` are CVEs that the scanner looked for and did not
    find. ``compares``: whether the report is about CVEs at all. ``truncated``: whether it says that
    it is not all that there is."""

    seen: ScannerHost
    seen_at: datetime | None
    records: tuple[ScannerRecord, ...]
    closed: frozenset[str] = frozenset()
    compares: bool = True
    truncated: bool = False


class Reconciled(Document, frozen=True, omit_defaults=True):
    """One CVE on one host. ``plugin`` and ``title`` are the scanner's."""

    cve: str
    agreement: Agreement
    severity: Severity
    why: Likely | None = None
    reason: str = ""
    plugin: str = ""
    title: str = ""
    package: str = ""


class HostReconciliation(Document, frozen=True):
    """``configuration`` are findings that no patch closes. ``without_cve`` are vulnerabilities
    that the scanner names no CVE for, ``undecided`` what it could not tell itself."""

    host: str
    seen_as: str
    seen_at: datetime | None
    vulnerabilities: tuple[Reconciled, ...]
    configuration: tuple[ScannerRecord, ...]
    without_cve: tuple[ScannerRecord, ...]
    undecided: tuple[ScannerRecord, ...]

    def count(self, agreement: Agreement) -> int:
        return sum(one.agreement is agreement for one in self.vulnerabilities)

    @property
    def reasons(self) -> tuple[tuple[Likely, int], ...]:
        """How often each reason, the most frequent first."""
        counted = Counter(one.why for one in self.vulnerabilities if one.why is not None)
        return tuple(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


Guess = tuple[Likely, str]


def reconcile(host: str, theirs: Theirs, ours: Ours | None) -> HostReconciliation:
    """All that a report says of ``host``, and what it does not say."""
    by_state: dict[ScannerState, list[ScannerRecord]] = {state: [] for state in ScannerState}
    for record in theirs.records:
        by_state[record.state].append(record)
    open_ = by_state[ScannerState.VULNERABILITY]
    return HostReconciliation(
        host=host,
        seen_as=theirs.seen.label,
        seen_at=theirs.seen_at,
        vulnerabilities=_vulnerabilities(theirs, ours),
        configuration=tuple(by_state[ScannerState.CONFIGURATION]),
        without_cve=tuple(record for record in open_ if not record.cves),
        undecided=tuple(by_state[ScannerState.UNKNOWN]),
    )


def _vulnerabilities(theirs: Theirs, ours: Ours | None) -> tuple[Reconciled, ...]:
    found = _by_cve(theirs.records, ScannerState.VULNERABILITY)
    if ours is None:
        never = "we have never scanned this host"
        return tuple(
            _theirs(cve, records, Agreement.UNKNOWN, (Likely.NEVER_SCANNED, never))
            for cve, records in sorted(found.items())
        )
    settings = _by_cve(theirs.records, ScannerState.CONFIGURATION)
    mine = {finding.cve: finding for finding in reversed(ours.findings)}
    # What the scanner calls a setting is compared only where we know a patch for it.
    found |= {cve: found.get(cve, []) + settings[cve] for cve in settings.keys() & mine.keys()}
    result = [
        _both(mine[cve], records)
        if cve in mine
        else _theirs(
            cve, records, Agreement.ONLY_SCANNER, _only_scanner(cve, records, theirs, ours)
        )
        for cve, records in found.items()
    ]
    if theirs.compares:
        result += [
            _mine(finding, _only_us(finding, theirs, ours))
            for cve, finding in mine.items()
            if cve not in found
        ]
    return tuple(sorted(result, key=lambda one: one.cve))


def _by_cve(
    records: Iterable[ScannerRecord], state: ScannerState
) -> dict[str, list[ScannerRecord]]:
    found: dict[str, list[ScannerRecord]] = {}
    for record in records:
        if record.state is state:
            for cve in record.cves:
                found.setdefault(cve, []).append(record)
    return found


def _both(finding: Finding, records: Sequence[ScannerRecord]) -> Reconciled:
    return Reconciled(
        cve=finding.cve,
        agreement=Agreement.AGREES,
        severity=finding.severity,
        plugin=records[0].plugin,
        title=records[0].title,
        package=finding.package,
    )


def _theirs(
    cve: str, records: Sequence[ScannerRecord], agreement: Agreement, guess: Guess
) -> Reconciled:
    named = next((one.name for record in records for one in record.packages), "")
    return Reconciled(
        cve=cve,
        agreement=agreement,
        severity=records[0].severity,
        why=guess[0],
        reason=guess[1],
        plugin=records[0].plugin,
        title=records[0].title,
        package=named,
    )


def _mine(finding: Finding, guess: Guess) -> Reconciled:
    return Reconciled(
        cve=finding.cve,
        agreement=Agreement.ONLY_US,
        severity=finding.severity,
        why=guess[0],
        reason=guess[1],
        package=finding.package,
    )


def _only_scanner(cve: str, records: Sequence[ScannerRecord], theirs: Theirs, ours: Ours) -> Guess:
    evidence = [one for record in records for one in record.packages]
    rules = ours.rules.get(cve, ())
    return (
        _by_evidence(evidence, theirs, ours)
        or _by_rules(rules, theirs, ours)
        or _third_party([one.name for one in evidence], ours)
        or _unexplained(theirs, ours)
    )


def _by_evidence(evidence: Sequence[PackageEvidence], theirs: Theirs, ours: Ours) -> Guess | None:
    """What the scanner saw installed against what we saw."""
    named = [one for one in evidence if one.name]
    present = {one.name: ours.named(one.name) for one in named}
    if not named:
        return None
    if not any(present.values()):
        names = ", ".join(dict.fromkeys(one.name for one in named[:3]))
        return Likely.NOT_INSTALLED, f"it names {names}, of which nothing is installed"
    changed = [one for one in named if one.installed and present[one.name]]
    if not changed or any(
        _same(one.installed, package.version) for one in changed for package in present[one.name]
    ):
        return None
    one = changed[0]
    now = present[one.name][0].version
    if theirs.seen_at and ours.inventory.collected_at < theirs.seen_at:
        return (
            Likely.INVENTORY_OLDER,
            f"it saw {one.name} {one.installed}, our older inventory has {now}; scan again",
        )
    return Likely.PATCHED_SINCE, f"it saw {one.name} {one.installed}, now {now} is installed"


def _by_rules(rules: Sequence[Rule], theirs: Theirs, ours: Ours) -> Guess | None:
    """What advisories say of packages that are installed, though nothing is open."""
    foreign = None
    for rule in rules:
        packages = ours.concerned(rule)
        if rule.state is FixState.NOT_AFFECTED:
            says = f"{rule.publisher} says that {rule.package} is not affected in {rule.release}"
            return Likely.NOT_AFFECTED, says + (f": {rule.note}" if rule.note else "")
        foreign = foreign or _third_party([package.name for package in packages], ours)
        if foreign is None and rule.fixed and packages:
            return _fixed(rule, packages, theirs, ours)
    return foreign


def _fixed(rule: Rule, packages: Sequence[Package], theirs: Theirs, ours: Ours) -> Guess:
    version = packages[0].source_version
    if rule.introduced or rule.module or rule.archs:
        return (
            Likely.NOT_AFFECTED,
            f"by {rule.advisory} {rule.package} {version} does not have it, or no longer: it is "
            "about certain versions, module streams or architectures",
        )
    by = f"the fix came in {rule.fixed} ({rule.advisory})"
    if rule.package == "kernel" or rule.package.partition("-")[0] == "linux":
        if ours.inventory.kernel.container:
            return Likely.OTHER_KERNEL, "the host is a container, whose kernel is not its own"
        if len({package.source_version for package in packages}) > 1:
            running = ours.inventory.kernel.running
            return (
                Likely.OTHER_KERNEL,
                f"{by} and {running}, which runs, has it; an older kernel is installed beside it",
            )
    changed = ours.changed_after(theirs.seen_at)
    if changed:
        return (
            Likely.PATCHED_SINCE,
            f"{by}, {version} is installed, and packages changed on {changed:%Y-%m-%d}, "
            "after its scan",
        )
    outside = " and had no credentials" if theirs.seen.credentialed is False else ""
    first = theirs.seen_at and ours.first_seen > theirs.seen_at
    unless = ", unless the fix came before we first saw the host" if first else ""
    return (
        Likely.BACKPORT,
        f"{by}, {version} is installed; it went by upstream's version{outside}{unless}",
    )


def _third_party(names: Iterable[str], ours: Ours) -> Guess | None:
    name = next((name for name in names if name in ours.third_party), None)
    if name is None:
        return None
    return Likely.THIRD_PARTY, f"{name} is not the distribution's, whose advisories do not cover it"


def _unexplained(theirs: Theirs, ours: Ours) -> Guess:
    if theirs.seen.credentialed is False:
        return (
            Likely.NO_CREDENTIALS,
            "it had no credentials and went by what services say of themselves; "
            "no advisory that we know names this CVE for a package here",
        )
    if theirs.seen_at and ours.inventory.collected_at < theirs.seen_at:
        return Likely.INVENTORY_OLDER, "our inventory is older than its scan; scan again"
    return Likely.NO_ADVISORY, "no advisory that we know names this CVE for a package here"


def _only_us(finding: Finding, theirs: Theirs, ours: Ours) -> Guess:
    if finding.cve in theirs.closed:
        return Likely.SCANNER_SAYS_CLOSED, "it looked for it and says that it is closed"
    if finding.state is FindingState.RESTART:
        return (
            Likely.NEEDS_RESTART,
            "the fix is on disk, where scanners look, but something older still runs",
        )
    if theirs.seen_at:
        day = theirs.seen_at.date()
        published = [rule.published for rule in ours.rules.get(finding.cve, ()) if rule.published]
        if published and min(published) > day:
            return Likely.NEW_ADVISORY, f"it was published on {min(published)}, after its scan"
        if changed := ours.changed_after(theirs.seen_at):
            return Likely.CHANGED_SINCE, f"packages changed on {changed:%Y-%m-%d}, after its scan"
    if theirs.truncated:
        return Likely.TRUNCATED, "the report says that it is not all; it may be in the rest"
    if theirs.seen.credentialed is False:
        return (
            Likely.NO_CREDENTIALS,
            "it had no credentials and saw only what answers on the network",
        )
    if finding.state is FindingState.NO_FIX:
        return Likely.NO_FIX, "no fix exists, and many scanners look for missing fixes alone"
    return Likely.NO_CHECK, "it has no check for it, or the scan or the export left it out"


def _same(theirs: str, ours: str) -> bool:
    """Scanners leave out epochs and add architectures."""
    ours_plain = ours.partition(":")[2] or ours
    theirs_plain = theirs.partition(":")[2] or theirs
    return theirs_plain == ours_plain or theirs_plain.startswith(f"{ours_plain}.")
