"""Which findings come first, and why: known exploitation, then likelihood, then what is at stake.

The order is log-odds of EPSS plus a share of CVSS, weighted with the host's criticality and
exposure; vulnerabilities known to be exploited (CISA's catalogue) come before all others. What is
not known is filled with the middle of what is usual and said so: it is never zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from suture.core import versions
from suture.core.advisories import Severity
from suture.core.documents import Document
from suture.core.enrichment import Enrichment, KnownExploited
from suture.core.findings import Finding, FindingState
from suture.core.inventory import Criticality, Exposure, Host

_CRITICALITY = {
    Criticality.LOW: 0.8,
    Criticality.MEDIUM: 1.0,
    Criticality.HIGH: 1.25,
    Criticality.CRITICAL: 1.5,
}
_EXPOSURE = {Exposure.ISOLATED: 0.8, Exposure.INTERNAL: 1.0, Exposure.PUBLIC: 1.4}

# The middle of each band of CVSS, for a publisher's word in its place.
_SCORE_OF = {
    Severity.LOW: 2.0,
    Severity.MEDIUM: 5.5,
    Severity.HIGH: 8.0,
    Severity.CRITICAL: 9.5,
}
_GRAVITY = {severity: number for number, severity in enumerate(Severity)}


Probability = Annotated[float, Meta(ge=0, le=1, description="a probability, 0 to 1")]
Points = Annotated[float, Meta(ge=0, le=10, description="a number from 0 to 10")]
Least = Annotated[float, Meta(gt=0, le=0.1, description="a small probability, above 0 to 0.1")]


class RankingWeights(Document, frozen=True):
    """``cvss`` is the worth of one point of CVSS in units of log-odds.

    ``usual_epss`` and ``usual_cvss`` stand for what is not known. ``least_epss`` bounds the
    log-odds, and moves the scale so that the least urgent finding still counts above zero.
    """

    cvss: Points = 0.35
    usual_epss: Probability = 0.01
    usual_cvss: Points = 6.0
    least_epss: Least = 0.00001


class RankedPatch(Document, frozen=True):
    """A source package to update, with all that it closes: what is installed is patches.

    ``installed`` are the versions of its packages in the fleet, ``fixed`` the first source version
    that closes all of ``cves``. ``score`` is the sum of its findings', ``severity`` the gravest
    of theirs, ``reason`` the most urgent one's.
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


DEFAULT_WEIGHTS = RankingWeights()


def rank(
    findings: Iterable[Finding],
    *,
    hosts: Mapping[str, Host],
    enrichment: Mapping[str, Enrichment],
    today: date,
    weights: RankingWeights = DEFAULT_WEIGHTS,
) -> tuple[Finding, ...]:
    """The findings, most urgent first, with score, rank and reasons.

    ``hosts`` is by name and ``enrichment`` by CVE; what is not in them is not known.
    """
    scored = [
        _scored(
            finding,
            hosts.get(finding.host),
            enrichment.get(finding.cve) or Enrichment(finding.cve),
            today,
            weights,
        )
        for finding in findings
    ]
    scored.sort(key=lambda finding: (-finding.score, finding.cve, finding.host, finding.source))
    return tuple(replace(finding, rank=number) for number, finding in enumerate(scored, start=1))


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
        fixed = max((finding.fixed or "" for finding in some), key=versions.key)
        patches.setdefault((source, fixed), []).extend(some)
    ranked = [_patch(source, fixed, some) for (source, fixed), some in patches.items()]
    return tuple(sorted(ranked, key=lambda patch: (-patch.score, patch.source, patch.fixed)))


def _scored(
    finding: Finding,
    host: Host | None,
    known: Enrichment,
    today: date,
    weights: RankingWeights,
) -> Finding:
    severity = _first_known(finding.severity, known.severity, _band(known.cvss))
    epss, epss_reason = _epss(known, weights)
    cvss, cvss_reason = _cvss(known, severity, weights)
    stake, stake_reason = _stake(host)
    base = _log_odds(epss, weights) + _log_odds(1.0, weights) + weights.cvss * cvss
    score = base * stake + (_most(weights) if known.kev else 0.0)
    exploited = (_exploited(known.kev, today),) if known.kev else ()
    return replace(
        finding,
        severity=severity,
        score=score,
        kev=known.kev is not None,
        reasons=(*finding.reasons, *exploited, epss_reason, cvss_reason, stake_reason),
    )


def _log_odds(probability: float, weights: RankingWeights) -> float:
    bounded = min(max(probability, weights.least_epss), 1 - weights.least_epss)
    return math.log(bounded / (1 - bounded))


def _most(weights: RankingWeights) -> float:
    """No finding scores more for anything but known exploitation."""
    base = 2 * _log_odds(1.0, weights) + 10 * weights.cvss
    return base * max(_CRITICALITY.values()) * max(_EXPOSURE.values())


def _epss(known: Enrichment, weights: RankingWeights) -> tuple[float, str]:
    if known.epss is not None and 0 <= known.epss.probability <= 1:
        return known.epss.probability, f"EPSS {known.epss.probability:.2%}"
    return weights.usual_epss, f"EPSS unknown, taken as {weights.usual_epss:.2%}"


def _cvss(known: Enrichment, severity: Severity, weights: RankingWeights) -> tuple[float, str]:
    if known.cvss is not None and 0 <= known.cvss <= 10:
        return known.cvss, f"CVSS {known.cvss:.1f}"
    if severity in _SCORE_OF:
        return _SCORE_OF[severity], f"CVSS unknown, {severity} taken as {_SCORE_OF[severity]:.1f}"
    return weights.usual_cvss, f"CVSS unknown, taken as {weights.usual_cvss:.1f}"


def _stake(host: Host | None) -> tuple[float, str]:
    if host is None:
        return 1.0, "host not described, taken as medium and internal"
    stake = _CRITICALITY[host.criticality] * _EXPOSURE[host.exposure]
    return stake, f"{host.criticality} criticality, {host.exposure} exposure"


def _exploited(known: KnownExploited, today: date) -> str:
    said = "known to be exploited (KEV)"
    if known.ransomware:
        said += ", also by ransomware"
    if known.due is None:
        return said
    days = (known.due - today).days
    count = f"{abs(days)} day{'' if abs(days) == 1 else 's'}"
    when = f"in {count}" if days >= 0 else f"{count} overdue"
    return f"{said}, due {known.due.isoformat()}, {when}"


def _band(cvss: float | None) -> Severity:
    """The word for a CVSS score, as FIRST divides them."""
    if cvss is None or not 0 < cvss <= 10:
        return Severity.UNKNOWN
    bounds = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM))
    return next((severity for least, severity in bounds if cvss >= least), Severity.LOW)


def _first_known(*severities: Severity) -> Severity:
    return next((one for one in severities if one is not Severity.UNKNOWN), Severity.UNKNOWN)


def _patch(source: str, fixed: str, findings: list[Finding]) -> RankedPatch:
    top = max(findings, key=lambda finding: (finding.score, finding.cve))
    return RankedPatch(
        source=source,
        installed=tuple(sorted({finding.installed for finding in findings}, key=_order)),
        fixed=fixed,
        cves=tuple(sorted({finding.cve for finding in findings})),
        hosts=tuple(sorted({finding.host for finding in findings})),
        score=math.fsum(finding.score for finding in findings),
        severity=max((finding.severity for finding in findings), key=_GRAVITY.__getitem__),
        reason=f"{top.cve}: {'; '.join(top.reasons[1:] or top.reasons)}",
        kev=any(finding.kev for finding in findings),
    )


def _order(version: str) -> bytes:
    return versions.key(version) if versions.is_valid(version) else b""
