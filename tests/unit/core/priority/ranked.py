"""Findings scored where their hosts are, and put into order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from suture.core.assessment.findings import Finding
from suture.core.assessment.mitigation import MitigationKey
from suture.core.intelligence.enrichment import Enrichment
from suture.core.inventory import Host
from suture.core.priority.ranking import Scorer, ordered
from suture.core.priority.urgency import DEFAULT_WEIGHTS, NOWHERE, RankingWeights, place


def rank(
    findings: Iterable[Finding],
    *,
    hosts: Mapping[str, Host],
    enrichment: Mapping[str, Enrichment],
    today: date,
    weights: RankingWeights = DEFAULT_WEIGHTS,
    open_since: Mapping[tuple[str, str, str], date] | None = None,
    mitigated: Mapping[MitigationKey, str] | None = None,
) -> tuple[Finding, ...]:
    """``open_since`` is by host, CVE and source; without it no limit counts."""
    scorer = Scorer(enrichment, today=today, weights=weights)
    since = open_since or {}
    return ordered(
        scorer.scored(
            one,
            place(hosts[one.host]) if one.host in hosts else NOWHERE,
            None if open_since is None else since.get((one.host, one.cve, one.source), today),
            (mitigated or {}).get((one.host, one.cve), ""),
        )
        for one in findings
    )
