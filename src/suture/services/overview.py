"""What is open on a fleet of any size, in seconds: counted in columns, no host looked at by itself.

What is on offer and what still runs is judged host by host, in :mod:`suture.services.findings`;
here a vulnerability is open where its fix is not on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from suture.core.assessment.fleet import Fleet
from suture.core.assessment.fleet_findings import FleetFindings
from suture.core.assessment.fleet_matching import match_fleet
from suture.core.documents import Document
from suture.core.intelligence.advisories import FixState, Severity
from suture.core.intelligence.advisory_index import STATES, AdvisoryIndex
from suture.core.intelligence.enrichment import Enrichment
from suture.core.intelligence.rule_table import rule_table
from suture.core.inventory import Host
from suture.core.priority.ssvc import Decision
from suture.core.priority.urgency import NOWHERE, Place, RankingWeights, place, urgency
from suture.services import fleet as enrolled
from suture.services import policies
from suture.services.collecting import clock
from suture.services.findings import NOW, Moment
from suture.services.knowledge import Knowledge, known_about
from suture.services.unjudged import Unjudged, unjudged
from suture.services.workspace import Workspace
from suture.store import fleet_columns, hosts, observations
from suture.store.database import Store, query_of

_FIXED = STATES.index(FixState.FIXED)


class OpenCve(Document, frozen=True):
    """A vulnerability on the fleet. ``fixed_on`` of its ``hosts`` have a publisher that names a
    fix; ``score`` adds up its urgency on all of them."""

    cve: str
    severity: Severity
    hosts: int
    fixed_on: int
    score: float
    kev: bool
    epss: float | None
    cvss: float | None
    ssvc: Decision


class Overview(Document, frozen=True):
    """``findings`` counts CVEs by host and source; ``cves`` are the most urgent first.
    ``without_fix`` are the findings for which no publisher names a fix. ``unjudged`` are hosts of
    whose release nothing is known, which have no findings for that reason alone."""

    hosts: int
    findings: int
    without_fix: int
    cves: tuple[OpenCve, ...]
    busiest: tuple[tuple[str, int], ...]
    unjudged: tuple[Unjudged, ...] = ()


def overview(
    workspace: Workspace, *, policy_file: Path | None = None, moment: Moment = NOW
) -> Overview:
    """Of all hosts that were ever scanned."""
    policy, _ = policies.load(workspace, policy_file)
    with enrolled.opened(workspace) as store:
        with store.read() as connection:
            columns = fleet_columns.fleet(query_of(connection), moment.at)
            described = {host.name: host for host in hosts.listing(connection)}
        releases = set(columns.releases)
        known = known_about(store, releases, now=clock(), known_at=moment.known_at)
        found = match_fleet(columns, rule_table(known.index))
        by_cve = found.by_cve()
        open_ = [found.cves[number] for number in np.flatnonzero(by_cve.sum(axis=1)).tolist()]
        enrichment = known.enrichment(open_)
        unknown = _unjudged(store, columns, known, moment)
    by_host = found.by_host()
    return Overview(
        hosts=len(columns.hosts),
        findings=len(found),
        without_fix=int(by_host.sum() - by_host[:, _FIXED].sum()),
        cves=_ranked(found, open_, known.index, enrichment, described, policy.weights),
        busiest=_busiest(columns.hosts, by_host.sum(axis=1)),
        unjudged=unknown,
    )


def _unjudged(
    store: Store, columns: Fleet, known: Knowledge, moment: Moment
) -> tuple[Unjudged, ...]:
    releases = {
        host: release
        for host, release in zip(columns.hosts, columns.releases, strict=True)
        if release not in known.spoken_of
    }
    with store.query() as query:
        managers = observations.managers(query, releases, moment.at)
    each = (unjudged(host, of, managers[host], known) for host, of in releases.items())
    return tuple(one for one in each if one is not None)


def _ranked(
    found: FleetFindings,
    cves: Iterable[str],
    index: AdvisoryIndex,
    enrichment: Mapping[str, Enrichment],
    described: Mapping[str, Host],
    weights: RankingWeights,
) -> tuple[OpenCve, ...]:
    """Hosts alike in what counts share the answer."""
    kinds: dict[Place, int] = {}
    places = np.array(
        [
            kinds.setdefault(place(described[name]) if name in described else NOWHERE, len(kinds))
            for name in found.hosts
        ],
        np.int64,
    )
    severities = _severities(index)
    fixed_on = dict(zip(found.cves, found.by_cve()[:, _FIXED].tolist(), strict=True))
    listed = []
    for cve in cves:
        touched = found.touched_by(cve)
        counts = np.bincount(places[touched], minlength=len(kinds)).tolist()
        severity = severities.get(cve, Severity.UNKNOWN)
        each = [
            (count, urgency(enrichment.get(cve) or Enrichment(cve), severity, kind, weights))
            for kind, count in zip(kinds, counts, strict=True)
            if count
        ]
        _, top = max(each, key=lambda pair: pair[1].score)
        listed.append(
            OpenCve(
                cve=cve,
                severity=top.severity,
                hosts=len(touched),
                fixed_on=min(fixed_on[cve], len(touched)),
                score=sum(count * one.score for count, one in each),
                kev=top.kev is not None,
                epss=top.epss,
                cvss=top.cvss,
                ssvc=top.ssvc,
            )
        )
    return tuple(sorted(listed, key=lambda one: (not one.kev, -one.score, one.cve)))


def _severities(index: AdvisoryIndex) -> dict[str, Severity]:
    """The gravest word about each CVE."""
    gravity = {severity: number for number, severity in enumerate(Severity)}
    found: dict[str, Severity] = {}
    for rule in index:
        if gravity[rule.severity] > gravity[found.get(rule.cve, Severity.UNKNOWN)]:
            found[rule.cve] = rule.severity
    return found


def _busiest(names: Sequence[str], counts: np.ndarray) -> tuple[tuple[str, int], ...]:
    """The hosts with the most findings."""
    order = np.argsort(-counts, kind="stable")[:10].tolist()
    return tuple((names[number], int(counts[number])) for number in order)
