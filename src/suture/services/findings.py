"""What is open on the enrolled fleet, from the last scan of each host; nothing is contacted."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from suture.core.assessment import exceptions, matching
from suture.core.assessment.counted import groups
from suture.core.assessment.exceptions import Excepted
from suture.core.assessment.findings import Finding
from suture.core.assessment.matching import otherwise
from suture.core.documents import Document
from suture.core.intelligence import channels
from suture.core.intelligence.advisories import FixState, Rule, vulnerability_id
from suture.core.intelligence.advisory_index import weight
from suture.core.inventory import Inventory, Package
from suture.core.priority import ranking, weaknesses
from suture.core.priority.ranking import RankedPatch
from suture.core.priority.weaknesses import Weakness
from suture.core.selection.ledger import LedgerEntry
from suture.reports import findings_csv, sarif
from suture.services import agreeing, fleet, policies
from suture.services.agreeing import ScannerWord
from suture.services.assessing import Assessment, Judged, assess, judged
from suture.services.collecting import clock
from suture.services.errors import NotFoundError, ServiceError
from suture.services.knowledge import Knowledge, known_about
from suture.services.unjudged import Unjudged, unjudged
from suture.services.workspace import Workspace
from suture.store import exceptions as stored_exceptions
from suture.store import fleet_columns, observations

T = TypeVar("T", bound=Judged)

_SOON = timedelta(days=30)
_NEVER = "unknown: this host was never scanned by Suture"


class OpenFindings(Document, frozen=True):
    """``never_seen`` are enrolled hosts of which nothing is known, ``unjudged`` those of whose
    release nothing is: not the same as no findings.
    ``weaknesses`` are the findings by CWE, the costliest first. ``excepted`` are open as well,
    and accepted for a time; ``expiring`` those of them that come back within 30 days."""

    findings: tuple[Finding, ...]
    patches: tuple[RankedPatch, ...]
    oldest_scan: datetime | None
    never_seen: tuple[str, ...]
    weaknesses: tuple[Weakness, ...] = ()
    excepted: tuple[Excepted, ...] = ()
    expiring: tuple[Excepted, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()


class Moment(Document, frozen=True):
    """``at``: the day's packages, None for the newest seen. ``known_at``: with what was known of
    vulnerabilities then, None for now: so a corrected feed corrects the past."""

    at: datetime | None = None
    known_at: datetime | None = None


NOW = Moment()


class Format(StrEnum):
    """What other programs read: see :mod:`suture.reports`."""

    CSV = "csv"
    SARIF = "sarif"


class Explanation(Document, frozen=True):
    """One CVE on one host: why it is open or not, what would close it, who says so, and who says
    something else. ``scanners`` are the words of imported reports."""

    host: str
    finding: Finding | None
    statement: Rule | None
    updates: tuple[LedgerEntry, ...]
    answer: str
    others: tuple[str, ...] = ()
    scanners: tuple[ScannerWord, ...] = ()


class Sbom(Document, frozen=True):
    """``text`` is CycloneDX: what is installed on the chosen hosts, and what of it is open. Of
    ``never_seen`` and ``unjudged`` hosts it states nothing, and says so."""

    text: str
    never_seen: tuple[str, ...]
    unjudged: tuple[Unjudged, ...]


def fleet_findings(
    workspace: Workspace,
    *,
    names: Sequence[str] = (),
    labels: Sequence[str] = (),
    policy_file: Path | None = None,
    moment: Moment = NOW,
) -> OpenFindings:
    """Ranked over all chosen hosts, now or as it was."""
    assessments, knowledge, never = judged_fleet(workspace, names, labels, policy_file, moment)
    findings: Sequence[Finding] = sorted(
        (finding for one in assessments for finding in one.findings), key=lambda one: one.rank
    )
    if moment == NOW:
        findings = _with_scanners(workspace, findings)
    today = (moment.at or clock()).date()
    divided = _divided(workspace, findings, assessments, today, moment.at)
    return OpenFindings(
        findings=divided.open,
        patches=ranking.rank_patches(divided.open),
        oldest_scan=min((one.inventory.collected_at for one in assessments), default=None),
        never_seen=never,
        weaknesses=weaknesses.group(divided.open),
        excepted=divided.excepted,
        expiring=exceptions.expiring(divided.excepted, at=today, within=_SOON),
        unjudged=_unjudged(assessments, knowledge),
    )


def _unjudged(assessments: Sequence[Judged], knowledge: Knowledge) -> tuple[Unjudged, ...]:
    each = (
        unjudged(one.host.name, one.inventory.os.release, one.inventory.package_manager, knowledge)
        for one in assessments
    )
    return tuple(one for one in each if one is not None)


def _divided(
    workspace: Workspace,
    findings: Sequence[Finding],
    assessments: Sequence[Judged],
    today: date,
    known_at: datetime | None,
) -> exceptions.Split:
    with fleet.opened(workspace) as store, store.read() as connection:
        accepted = stored_exceptions.listing(connection, known_at=known_at)
    hosts = {one.host.name: one.host for one in assessments}
    return exceptions.split(findings, accepted, hosts=hosts, at=today)


def rendered(found: OpenFindings, form: Format) -> str:
    """The findings as another program reads them."""
    if form is Format.SARIF:
        return sarif.render(found.findings).decode()
    out = io.StringIO()
    findings_csv.write(found.findings, out)
    return out.getvalue()


def sbom(
    workspace: Workspace,
    *,
    names: Sequence[str] = (),
    labels: Sequence[str] = (),
    policy_file: Path | None = None,
) -> Sbom:
    """Raises :class:`NotFoundError` where none of the chosen hosts was ever scanned."""
    from suture.reports import cyclonedx

    assessments, knowledge, never = judged_fleet(workspace, names, labels, policy_file)
    if not assessments:
        raise NotFoundError(f"never scanned: {', '.join(never)}", "Scan first: suture scan")
    unknown = _unjudged(assessments, knowledge)
    text = cyclonedx.render(
        [one.inventory for one in assessments],
        [finding for one in assessments for finding in one.findings],
        clock(),
        {one.host: one.message for one in unknown} | dict.fromkeys(never, "never scanned"),
    )
    return Sbom(text, never, unknown)


def explain(
    workspace: Workspace, cve: str, *, host: str | None = None, policy_file: Path | None = None
) -> tuple[Explanation, ...]:
    """For each chosen host, and of those that were never scanned for each of which another
    scanner says something; raises :class:`NotFoundError` for a CVE that nobody has named."""
    wanted = vulnerability_id(cve)
    if wanted is None:
        raise ServiceError(
            f"not the id of a vulnerability: {cve!r:.80}",
            "Write CVE-2026-12345, or another id as findings show it, such as XSA-213.",
        )
    names = (host,) if host else ()
    assessments, knowledge, never = _fleet(assess, workspace, names, (), policy_file, NOW)
    found = [_explain(wanted, one, knowledge) for one in assessments]
    with fleet.opened(workspace) as store, store.read() as connection:
        known = [*(one.host for one in found), *never]
        said = agreeing.said_of(connection, known, wanted)
    if not said and not any(one.finding or one.statement for one in found):
        raise NotFoundError(
            f"nothing is known about {wanted} on these hosts",
            "It is in no feed, in no changelog of an available update, and in no scanner's report. "
            "Scan first: suture scan",
        )
    open_ = _with_scanners(workspace, [one.finding for one in found if one.finding])
    by_host = {finding.host: finding for finding in open_}
    found += [Explanation(name, None, None, (), _NEVER) for name in never if name in said]
    return tuple(
        replace(one, finding=by_host.get(one.host), scanners=said.get(one.host, ()))
        for one in found
    )


def _with_scanners(workspace: Workspace, findings: Sequence[Finding]) -> Sequence[Finding]:
    with fleet.opened(workspace) as store, store.read() as connection:
        return agreeing.with_agreement(connection, findings)


def judged_fleet(
    workspace: Workspace,
    names: Sequence[str],
    labels: Sequence[str],
    policy_file: Path | None,
    moment: Moment = NOW,
) -> tuple[tuple[Judged, ...], Knowledge, tuple[str, ...]]:
    """The chosen hosts, what they were held against, and the names of those never scanned."""
    return _fleet(judged, workspace, names, labels, policy_file, moment)


def _fleet(
    how: Callable[..., tuple[T, ...]],
    workspace: Workspace,
    names: Sequence[str],
    labels: Sequence[str],
    policy_file: Path | None,
    moment: Moment,
) -> tuple[tuple[T, ...], Knowledge, tuple[str, ...]]:
    policy, _ = policies.load(workspace, policy_file)
    hosts = fleet.chosen(workspace, names=names, labels=labels)
    with fleet.opened(workspace) as store, store.query() as query:
        asked = {host.name for host in hosts}
        if moment.at is None:
            seen = observations.latest(query, asked)
        else:
            seen = observations.at(query, moment.at, asked)
        known = [(host, seen[host.name]) for host in hosts if host.name in seen]
        never = tuple(host.name for host in hosts if host.name not in seen)
        now = clock()
        releases = {one.os.release for _, one in known}
        knowledge = known_about(
            store,
            releases,
            now=now,
            at=moment.at,
            known_at=moment.known_at,
            names=matching.names_of(inventory for _, inventory in known),
        )
        today = (moment.at or now).date()
        presence = fleet_columns.presence(query, {host.name for host, _ in known}, moment.at)
        found = how(known, knowledge, policy, today=today, presence=presence)
        return found, knowledge, never


def _explain(cve: str, one: Assessment, knowledge: Knowledge) -> Explanation:
    finding = next((each for each in one.findings if each.cve == cve), None)
    release, index = one.inventory.os.release, knowledge.index
    stream = channels.stream(one.inventory.os, one.inventory.archives)
    said = [
        (rule, package)
        for package in one.inventory.packages.packages
        for rule in index.about(release, package, {cve}, stream=stream)
    ]
    statement, about = max(said, key=lambda pair: weight(pair[0]), default=(None, None))
    others = index.others(statement, about, stream=stream) if statement and about else ()
    packages = set(finding.packages) if finding else set()
    return Explanation(
        host=one.host.name,
        finding=finding,
        statement=statement,
        updates=tuple(entry for entry in one.selection.ledger.entries if entry.package in packages),
        answer=_answer(finding, statement, about, one.inventory),
        others=tuple(map(otherwise, others)),
    )


def _answer(
    finding: Finding | None, statement: Rule | None, about: Package | None, inventory: Inventory
) -> str:
    if finding is not None:
        return "open"
    if statement is None or about is None:
        return "no installed package is named for it"
    if not any(about in group.packages for group in groups(inventory).values()):
        return f"not open: {about.name} is removed, a third party's, or a kernel that does not run"
    if statement.state is FixState.NOT_AFFECTED:
        return f"not open: {statement.publisher} says that {statement.package} is not affected"
    return f"not open: {statement.package} is at {statement.fixed} or newer, and nothing old runs"
