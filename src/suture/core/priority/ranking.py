"""Findings and patches, most urgent first. What makes one urgent is in ``urgency``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import partial

from msgspec.structs import replace

from suture.core import versions
from suture.core.assessment.findings import Finding, FindingState
from suture.core.assessment.mitigation import MitigationKey
from suture.core.documents import Document
from suture.core.intelligence.advisories import Severity
from suture.core.intelligence.enrichment import Enrichment
from suture.core.inventory import Host
from suture.core.priority.deadlines import Deadline, TimeLimits, deadline
from suture.core.priority.urgency import (
    DEFAULT_WEIGHTS,
    NOWHERE,
    Place,
    RankingWeights,
    Urgency,
    eased,
    place,
    urgency,
)

_GRAVITY = {severity: number for number, severity in enumerate(Severity)}
_LIMITS = TimeLimits()

FindingKey = tuple[str, str, str]
"""(host, CVE, source package): what a finding is about, whenever it was found."""


class RankedPatch(Document, frozen=True):
    """A source package to update, with all that it closes: what is installed is patches.

    ``installed`` are the versions of its packages in the fleet, ``fixed`` the first source version
    that closes all of ``cves``. ``score`` is the sum of its findings', ``severity`` the gravest
    of theirs, ``reason`` the most urgent one's in short.
    """

    source: str
    installed: tuple[str, ...]
    fixed: str
    cves: tuple[str, ...]
    hosts: tuple[str, ...]
    score: float
    severity: Severity
    reason: str
    kev: bool


def rank(
    findings: Iterable[Finding],
    *,
    hosts: Mapping[str, Host],
    enrichment: Mapping[str, Enrichment],
    today: date,
    weights: RankingWeights = DEFAULT_WEIGHTS,
    limits: TimeLimits = _LIMITS,
    open_since: Mapping[FindingKey, date] | None = None,
    mitigated: Mapping[MitigationKey, str] | None = None,
) -> tuple[Finding, ...]:
    """The findings, most urgent first, with score, rank, deadline and reasons.

    ``hosts`` is by name and ``enrichment`` by CVE; what is not in them is not known.
    ``open_since`` is the day on which each finding was first known to be open; what is not in it
    is new today. Without it the policy's ``limits`` have no day to count from. ``mitigated`` says
    of (host, CVE) which control is in force against it.
    """
    # Hosts alike in what counts share the answer: a fleet has few kinds of them.
    places = {name: place(host) for name, host in hosts.items()}
    made: dict[tuple[str, Severity, Place], Urgency] = {}
    stand_ins = mitigated or {}
    scored = []
    for finding in findings:
        where = places.get(finding.host, NOWHERE)
        key = (finding.cve, finding.severity, where)
        if key not in made:
            known = enrichment.get(finding.cve) or Enrichment(finding.cve)
            made[key] = urgency(known, finding.severity, where, weights)
        found = made[key]
        if said := stand_ins.get((finding.host, finding.cve)):
            found = replace(found, score=eased(found, weights), reasons=(said, *found.reasons))
        scored.append((finding, found))
    scored.sort(key=lambda pair: (-pair[1].score, pair[0].cve, pair[0].host, pair[0].source))
    due: dict[tuple[int, date | None], Deadline | None] = {}
    ranked = []
    for number, (finding, found) in enumerate(scored, start=1):
        since = None
        if open_since is not None:
            since = open_since.get((finding.host, finding.cve, finding.source), today)
        asked = id(found), since
        if asked not in due:
            due[asked] = _due(found, since, limits, today)
        ranked.append(_ranked(finding, found, number, due[asked]))
    return tuple(ranked)


def rank_patches(findings: Iterable[Finding]) -> tuple[RankedPatch, ...]:
    """What can be installed, most urgent first: the fixable of ``findings``, which are ranked.

    Hosts of different releases need different versions, and so different patches.
    """
    on_host: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.state is FindingState.FIXABLE and finding.fixed:
            on_host.setdefault((finding.source, finding.host), []).append(finding)
    patches: dict[tuple[str, str], list[Finding]] = {}
    for (source, _), some in on_host.items():
        fixed = max((finding.fixed or "" for finding in some), key=_by(some[0].release))
        patches.setdefault((source, fixed), []).extend(some)
    ranked = [_patch(source, fixed, some) for (source, fixed), some in patches.items()]
    return tuple(sorted(ranked, key=lambda patch: (-patch.score, patch.source, patch.fixed)))


def _due(found: Urgency, since: date | None, limits: TimeLimits, today: date) -> Deadline | None:
    return deadline(
        found.severity,
        kev_due=found.kev.due if found.kev else None,
        open_since=since,
        limits=limits,
        today=today,
    )


def _ranked(finding: Finding, found: Urgency, rank: int, due: Deadline | None) -> Finding:
    return replace(
        finding,
        severity=found.severity,
        score=found.score,
        rank=rank,
        kev=found.kev is not None,
        cvss=found.cvss,
        epss=found.epss,
        cwe=found.cwe,
        ssvc=found.ssvc,
        due=due.due if due else None,
        overdue=due is not None and due.overdue,
        reasons=(*finding.reasons, *found.reasons, *((due.reason,) if due else ())),
    )


def _patch(source: str, fixed: str, findings: list[Finding]) -> RankedPatch:
    top = max(findings, key=lambda finding: (finding.score, finding.cve))
    return RankedPatch(
        source=source,
        installed=tuple(sorted({f.installed for f in findings}, key=_by(findings[0].release))),
        fixed=fixed,
        cves=tuple(sorted({finding.cve for finding in findings})),
        hosts=tuple(sorted({finding.host for finding in findings})),
        score=math.fsum(finding.score for finding in findings),
        severity=max((finding.severity for finding in findings), key=_GRAVITY.__getitem__),
        reason=f"{top.cve}: {', '.join(_why(top))}",
        kev=any(finding.kev for finding in findings),
    )


def _why(finding: Finding) -> Iterator[str]:
    """In short what its reasons say at length."""
    if finding.kev:
        yield "known to be exploited"
    yield "EPSS unknown" if finding.epss is None else f"EPSS {finding.epss:.2%}"
    yield "CVSS unknown" if finding.cvss is None else f"CVSS {finding.cvss:.1f}"
    if finding.ssvc is not None:
        yield f"SSVC {finding.ssvc}"
    if finding.due is not None:
        yield f"due {finding.due}"


def _by(release: str) -> Callable[[str], bytes]:
    return partial(versions.order, scheme=versions.scheme_of(release))
