"""How urgent a vulnerability is on a kind of host, and why: known exploitation, then likelihood,
then what is at stake.

The score is log-odds of EPSS plus a share of CVSS, weighted with the host's criticality and
exposure; vulnerabilities known to be exploited (CISA's catalogue) come before all others. What is
not known is filled with the middle of what is usual and said so: it is never zero.
"""

from __future__ import annotations

import math
from typing import Annotated

from msgspec import Meta

from suture.core.documents import Document
from suture.core.intelligence.advisories import Severity
from suture.core.intelligence.enrichment import Enrichment, KnownExploited
from suture.core.inventory import Criticality, Exposure, Host
from suture.core.priority import scoring, ssvc
from suture.core.priority.scoring import Environment

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

Probability = Annotated[float, Meta(ge=0, le=1, description="a probability, 0 to 1")]
Points = Annotated[float, Meta(ge=0, le=10, description="a number from 0 to 10")]
Factor = Annotated[float, Meta(ge=0, le=1, description="a factor, 0 to 1")]
Least = Annotated[float, Meta(gt=0, le=0.1, description="a small probability, above 0 to 0.1")]


class RankingWeights(Document, frozen=True):
    """``cvss`` is the worth of one point of CVSS in units of log-odds.

    ``usual_epss`` and ``usual_cvss`` stand for what is not known. ``least_epss`` bounds the
    log-odds, and moves the scale so that the least urgent finding still counts above zero.
    ``mitigated`` is what remains of the score where a control stands in for the patch.
    """

    cvss: Points = 0.35
    usual_epss: Probability = 0.01
    usual_cvss: Points = 6.0
    least_epss: Least = 0.00001
    mitigated: Factor = 0.3


DEFAULT_WEIGHTS = RankingWeights()


class Place(Document, frozen=True):
    """What counts of a host; alike for many."""

    criticality: Criticality
    exposure: Exposure
    environment: Environment
    described: bool = True


class Urgency(Document, frozen=True):
    """``cvss`` is the base score, 0 to 10, ``epss`` a probability; None is not known. ``kev`` is
    the catalogue's entry. ``score`` orders, higher is more urgent, and is never below zero."""

    severity: Severity
    score: float
    kev: KnownExploited | None
    cvss: float | None
    epss: float | None
    cwe: tuple[str, ...]
    ssvc: ssvc.Decision
    reasons: tuple[str, ...]


NOWHERE = Place(Criticality.MEDIUM, Exposure.INTERNAL, Environment(), described=False)
"""A host that nobody described: taken as medium and internal."""


def place(host: Host) -> Place:
    return Place(host.criticality, host.exposure, scoring.environment(host))


def urgency(
    known: Enrichment,
    severity: Severity,
    where: Place,
    weights: RankingWeights = DEFAULT_WEIGHTS,
) -> Urgency:
    """``severity`` is the word of the advisory's publisher, UNKNOWN where it has none."""
    severity = _first_known(severity, known.severity, _band(known.cvss))
    epss, epss_reason = _epss(known, weights)
    cvss, cvss_reason = _cvss(known, severity, where.environment, weights)
    stake, stake_reason = _stake(where)
    outcome = ssvc.decide(known, ssvc.mission(where.criticality, where.exposure))
    base = _log_odds(epss, weights) + _log_odds(1.0, weights) + weights.cvss * cvss
    return Urgency(
        severity=severity,
        score=base * stake + (_most(weights) if known.kev else 0.0),
        kev=known.kev,
        cvss=known.cvss if _is_score(known.cvss) else None,
        epss=_probability(known),
        cwe=known.cwe,
        ssvc=outcome.decision,
        reasons=(
            *((_exploited(known.kev),) if known.kev else ()),
            epss_reason,
            cvss_reason,
            stake_reason,
            outcome.reason,
            *(("rejected: its assigner took the CVE back",) if known.rejected else ()),
            *(("disputed: whether it is a vulnerability at all",) if known.disputed else ()),
        ),
    )


def eased(found: Urgency, weights: RankingWeights = DEFAULT_WEIGHTS) -> float:
    """The score while a control stands in for the patch. What is known to be exploited stays before
    all others."""
    known = _most(weights) if found.kev else 0.0
    return known + (found.score - known) * weights.mitigated


def _log_odds(probability: float, weights: RankingWeights) -> float:
    bounded = min(max(probability, weights.least_epss), 1 - weights.least_epss)
    return math.log(bounded / (1 - bounded))


def _most(weights: RankingWeights) -> float:
    """No finding scores more for anything but known exploitation."""
    base = 2 * _log_odds(1.0, weights) + 10 * weights.cvss
    return base * max(_CRITICALITY.values()) * max(_EXPOSURE.values())


def _epss(known: Enrichment, weights: RankingWeights) -> tuple[float, str]:
    probability = _probability(known)
    if probability is None:
        return weights.usual_epss, f"EPSS unknown, taken as {weights.usual_epss:.2%}"
    return probability, f"EPSS {probability:.2%}"


def _probability(known: Enrichment) -> float | None:
    if known.epss is None or not 0 <= known.epss.probability <= 1:
        return None
    return known.epss.probability


def _cvss(
    known: Enrichment, severity: Severity, where: Environment, weights: RankingWeights
) -> tuple[float, str]:
    """On the host where the vector is known, otherwise the base score or what stands for it."""
    if known.cvss is not None and _is_score(known.cvss):
        here = scoring.on_host(known.vector or "", where)
        if here is None or here == scoring.base_score(known.vector or ""):
            return known.cvss, f"CVSS {known.cvss:.1f}"
        return here, f"CVSS {known.cvss:.1f}, on this host {here:.1f} ({where})"
    if severity in _SCORE_OF:
        return _SCORE_OF[severity], f"CVSS unknown, {severity} taken as {_SCORE_OF[severity]:.1f}"
    return weights.usual_cvss, f"CVSS unknown, taken as {weights.usual_cvss:.1f}"


def _stake(where: Place) -> tuple[float, str]:
    stake = _CRITICALITY[where.criticality] * _EXPOSURE[where.exposure]
    if not where.described:
        return stake, "host not described, taken as medium and internal"
    return stake, f"{where.criticality} criticality, {where.exposure} exposure"


def _exploited(known: KnownExploited) -> str:
    return "known to be exploited (KEV)" + (", also by ransomware" if known.ransomware else "")


def _is_score(cvss: float | None) -> bool:
    return cvss is not None and 0 <= cvss <= 10


def _band(cvss: float | None) -> Severity:
    """The word for a CVSS score, as FIRST divides them."""
    if cvss is None or not 0 < cvss <= 10:
        return Severity.UNKNOWN
    bounds = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM))
    return next((severity for least, severity in bounds if cvss >= least), Severity.LOW)


def _first_known(*severities: Severity) -> Severity:
    return next((one for one in severities if one is not Severity.UNKNOWN), Severity.UNKNOWN)
