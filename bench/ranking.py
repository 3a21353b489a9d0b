"""The order of findings: how much of what attackers used next it puts in front."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from bench import published
from bench.coverage import (
    Interval,
    Measure,
    Numbers,
    Places,
    area,
    coverage,
    effort_for,
    interval,
    overlap,
    places,
    resampled,
)
from bench.measure import Figure, Report
from suture.core.assessment.findings import Finding, FindingState
from suture.core.intelligence.enrichment import Enrichment
from suture.core.priority.ranking import Scorer, ordered
from suture.core.priority.ssvc import Decision
from suture.core.priority.urgency import NOWHERE
from suture.feeds import cisa, enriching, epss, fields
from suture.feeds.feed import FeedFile

RUNS = 2000  # resamplings of the bootstrap

METHODS = ("ours", "cvss", "epss", "ssvc", "random")
EFFORTS = (1, 5, 10, 15)  # percent of all CVEs that are patched

_VULNRICHMENT = "vulnrichment-2024-10-24.jsonl.gz"
_KEV = "kev-2026-08-07.json.gz"
_SOURCES = {"adp": "cisa-adp", "cna": "cna"}
_VERSION = re.compile(r"cvssV([0-9])_([0-9])")
_DECISIONS = tuple(Decision)

_MEASURES: tuple[tuple[str, str, Measure], ...] = (
    *(
        (f"at_{effort}", f"coverage at {effort} % effort", partial(coverage, effort=effort / 100))
        for effort in EFFORTS
    ),
    ("effort_80", "effort for 80 % coverage", partial(effort_for, share=0.8)),
    ("auc", "area under the curve", area),
)


@dataclass(frozen=True)
class Fold:
    """What was known on ``day`` about ``candidates``, and which of them entered KEV before the
    next day that is looked at."""

    day: date
    candidates: tuple[Enrichment, ...]
    entered: frozenset[str]


def run(runs: int) -> Report:
    folds = _folds()
    scored = [_scored(fold) for fold in folds]
    whole, alike = _pooled(folds), _pooled(scored)
    figures = [
        *_block("", whole, METHODS, runs),
        *_block("scored_", alike, ("ours", "cvss"), runs),
        *_ahead("", whole, runs),
        *_ahead("scored_", alike, runs),
        *_missing(folds),
    ]
    return Report("ranking: walking forward through KEV", tuple(figures), _caveats(folds, whole))


def _scored(fold: Fold) -> Fold:
    """The same with those alone that have a CVSS score."""
    candidates = tuple(one for one in fold.candidates if one.cvss is not None)
    return Fold(fold.day, candidates, fold.entered & {one.cve for one in candidates})


def _folds() -> list[Fold]:
    known, begins = _vulnrichment(), date(2024, 10, 24)
    entries = cisa.parse(FeedFile(_KEV, str(published.file(_KEV))))
    added = {one.cve: one.kev.added for one in entries if one.kev is not None}
    tables = [
        epss.scores(FeedFile(path.name, str(path)))
        for path in sorted(published.file("epss-history").glob("epss-*.csv.gz"))
    ]
    last = max(added.values())
    days = [begins, *(table.day for table in tables if begins < table.day < last), last]
    folds = []
    for day, until in pairwise(days):
        table = max((one for one in tables if one.day <= day), key=lambda one: one.day)
        candidates = tuple(
            replace(one, epss=table.get(one.cve))
            for one in known
            if added.get(one.cve, last) > day and one.published and one.published <= day
        )
        entered = {cve for cve, at in added.items() if day < at <= until}
        here = {one.cve for one in candidates}
        folds.append(Fold(day, candidates, frozenset(entered & here)))
    return folds


def _vulnrichment() -> list[Enrichment]:
    """The reshaped records of CISA's repository on 2024-10-24."""
    with gzip.open(published.file(_VULNRICHMENT)) as lines:
        return [_enrichment(msgspec.json.decode(line)) for line in lines]


def _enrichment(record: Mapping[str, Any]) -> Enrichment:
    scores = []
    for kind, said in record["cvss"].items():
        version = _VERSION.sub(r"\1.\2", kind)
        source = _SOURCES.get(said["source"], "unknown")
        scored = enriching.cvss(version, said["vector"], said["score"], source)
        if scored is not None:
            scores.append(scored)
    return Enrichment(
        cve=record["cve"],
        scores=tuple(scores),
        ssvc=enriching.ssvc([record["ssvc"] or {}], ""),
        cwe=tuple(record["cwe"]),
        published=fields.day(record["published"]),
    )


def _pooled(folds: Sequence[Fold]) -> dict[str, Places]:
    """Method → the places of all that entered KEV, each ranked by what was known before."""
    pooled: dict[str, list[Places]] = {method: [] for method in METHODS}
    for fold in folds:
        exploited = [one.cve in fold.entered for one in fold.candidates]
        for method, scores in _orders(fold).items():
            pooled[method].append(places(scores, np.flatnonzero(exploited)))
    return {method: np.concatenate(found) for method, found in pooled.items()}


def _orders(fold: Fold) -> dict[str, Numbers]:
    """Higher is more urgent. What a method alone does not know comes last in its order."""
    ranked = _ranked(fold)
    return {
        "ours": np.array([ranked[one.cve].score for one in fold.candidates]),
        "cvss": np.array([-1.0 if one.cvss is None else one.cvss for one in fold.candidates]),
        "epss": np.array([one.epss.probability if one.epss else -1.0 for one in fold.candidates]),
        "ssvc": np.array([_decision(ranked[one.cve]) for one in fold.candidates], np.float64),
        "random": np.zeros(len(fold.candidates)),
    }


def _ranked(fold: Fold) -> dict[str, Finding]:
    """By the product's own ranking: all CVEs on one host that nobody has described."""
    findings = [
        Finding(one.cve, "host", "p", ("p",), "p", "1", "2", FindingState.FIXABLE)
        for one in fold.candidates
    ]
    known = {one.cve: one for one in fold.candidates}
    scorer = Scorer(known, today=fold.day)
    ranked = ordered(scorer.scored(one, NOWHERE, since=None) for one in findings)
    return {finding.cve: finding for finding in ranked}


def _decision(finding: Finding) -> int:
    return _DECISIONS.index(finding.ssvc) if finding.ssvc else -1


def _block(
    prefix: str, found: Mapping[str, Places], methods: Sequence[str], runs: int
) -> list[Figure]:
    figures = []
    for key, label, measure in _MEASURES:
        samples = resampled([found[method] for method in methods], runs, measure)
        made = {
            method: interval(measure(found[method]), samples[:, number])
            for number, method in enumerate(methods)
        }
        for method, values in made.items():
            told = _told(made["ours"], values) if method != "ours" else ""
            figures.append(
                Figure(f"{prefix}{method}_{key}", f"{method}: {label}", values, goal=told)
            )
    return figures


def _told(ours: Interval, other: Interval) -> str:
    return "overlaps with ours" if overlap(ours, other) else "apart from ours"


def _ahead(prefix: str, found: Mapping[str, Places], runs: int) -> list[Figure]:
    """How far ours is ahead of CVSS on the same resamplings."""
    figures = []
    for key, label, measure in _MEASURES:
        sign = -1 if key == "effort_80" else 1
        samples = resampled([found["ours"], found["cvss"]], runs, measure)
        point = sign * (measure(found["ours"]) - measure(found["cvss"]))
        values = interval(point, sign * (samples[:, 0] - samples[:, 1]))
        name = f"{prefix}ahead_{key}"
        figures.append(Figure(name, f"ours ahead of CVSS: {label}", values, goal="> 0"))
    return figures


def _missing(folds: Sequence[Fold]) -> list[Figure]:
    every = [one for fold in folds for one in fold.candidates]
    entered = [one for fold in folds for one in fold.candidates if one.cve in fold.entered]
    shares = (
        ("cvss_missing", "share without CVSS", [one.cvss is None for one in every]),
        ("epss_missing", "share without EPSS", [one.epss is None for one in every]),
        ("ssvc_missing", "share without SSVC points", [one.ssvc is None for one in every]),
        (
            "cvss_missing_exploited",
            "share without CVSS of those that entered KEV",
            [one.cvss is None for one in entered],
        ),
    )
    return [Figure(key, label, (float(np.mean(missing)),)) for key, label, missing in shares]


def _caveats(folds: Sequence[Fold], found: Mapping[str, Places]) -> tuple[str, ...]:
    days = ", ".join(f"{fold.day} ({len(fold.entered)})" for fold in folds)
    count = len(found["ours"])
    return (
        f"{count} of the {len(folds[0].candidates)} CVEs that CISA had looked at by 2024-10-24 "
        "entered KEV later. Each is ranked once, by what was known on the last of these days "
        f"before it entered (how many did): {days}. What was in KEV by then is not ranked, so KEV "
        "itself helps nobody.",
        "EPSS is the newest of that day or earlier. CVSS and SSVC are as of 2024-10-24 on every "
        "day: later revisions, and later CVEs, are not in the data. On the first day EPSS is four "
        "days old.",
        "min–max is the 95 % interval of a bootstrap over the CVEs that entered KEV, the median is "
        "the value itself. `ahead` compares both on the same resamplings, so its interval may "
        "lie above 0 where those of the two overlap.",
        "CVSS alone and EPSS alone put what they do not know last; ours takes the usual value. "
        "`scored` ranks only CVEs with a CVSS score.",
        "SSVC gives one of four answers, and most CVEs the same: those are taken in any order.",
        "All on one host that nobody has described: criticality, exposure and environmental CVSS "
        "are not in play, and SSVC takes mission impact as medium.",
        "KEV is what CISA saw and listed, mostly products of large vendors, few of them Linux "
        "packages; and EPSS is itself trained on exploitation that was seen.",
    )
