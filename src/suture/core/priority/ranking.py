"""Findings and patches, most urgent first. What makes one urgent is in ``urgency``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import partial

from msgspec.structs import replace

from suture.core import versions
from suture.core.assessment.findings import Finding, FindingState
from suture.core.documents import Document
from suture.core.intelligence.advisories import Severity
from suture.core.intelligence.enrichment import Enrichment
from suture.core.priority.deadlines import Deadline, TimeLimits, deadline
from suture.core.priority.urgency import (
    DEFAULT_WEIGHTS,
    Place,
    RankingWeights,
    Urgency,
    eased,
    urgency,
)

_GRAVITY = {severity: number for number, severity in enumerate(Severity)}
_LIMITS = TimeLimits()


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


class Scorer:
    """Says how urgent findings are, one by one. Those alike in what counts share the answer: a
    fleet has few kinds of hosts.

    ``enrichment`` is by CVE; what is not in it is not known.
    """

    def __init__(
        self,
        enrichment: Mapping[str, Enrichment],
        *,
        today: date,
        weights: RankingWeights = DEFAULT_WEIGHTS,
        limits: TimeLimits = _LIMITS,
    ) -> None:
        self._enrichment = enrichment
        self._today = today
        self._weights = weights
        self._limits = limits
        self._urgencies: dict[tuple[str, Severity, Place, str], Urgency] = {}
        self._due: dict[tuple[int, date | None], Deadline | None] = {}

    def scored(
        self, finding: Finding, where: Place, since: date | None, stand_in: str = ""
    ) -> Finding:
        """The finding with its score, deadline and reasons. ``since`` is the day from which the
        policy's limits count, None where they do not; ``stand_in`` says which control is in force
        against it."""
        key = finding.cve, finding.severity, where, stand_in
        if key not in self._urgencies:
            known = self._enrichment.get(finding.cve) or Enrichment(finding.cve)
            found = urgency(known, finding.severity, where, self._weights)
            if stand_in:
                reasons = (stand_in, *found.reasons)
                found = replace(found, score=eased(found, self._weights), reasons=reasons)
            self._urgencies[key] = found
        found = self._urgencies[key]
        asked = id(found), since
        if asked not in self._due:
            self._due[asked] = deadline(
                found.severity,
                kev_due=found.kev.due if found.kev else None,
                open_since=since,
                limits=self._limits,
                today=self._today,
            )
        return _scored(finding, found, self._due[asked])


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Scored findings, most urgent first, each with its rank."""
    some = sorted(findings, key=lambda one: (-one.score, one.cve, one.host, one.source))
    return tuple(replace(one, rank=number) for number, one in enumerate(some, start=1))


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


def _scored(finding: Finding, found: Urgency, due: Deadline | None) -> Finding:
    return replace(
        finding,
        severity=found.severity,
        score=found.score,
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
