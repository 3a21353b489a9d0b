"""Which kinds of weakness cost us most: findings grouped by CWE."""

from __future__ import annotations

import math
from collections.abc import Iterable

from suture.core.assessment.findings import Finding
from suture.core.documents import Document
from suture.core.priority.weakness_names import NAMES


class Weakness(Document, frozen=True):
    """All findings of one CWE. ``cwe`` is empty for those of which none is known. ``score`` is
    the sum of the findings'; a finding of two CWEs counts in both."""

    cwe: str
    name: str
    findings: int
    cves: int
    hosts: tuple[str, ...]
    score: float


def group(findings: Iterable[Finding]) -> tuple[Weakness, ...]:
    """The costliest first; what is not known comes where its score puts it."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        for cwe in finding.cwe or ("",):
            groups.setdefault(cwe, []).append(finding)
    made = [
        Weakness(
            cwe=cwe,
            name=name(cwe),
            findings=len(some),
            cves=len({finding.cve for finding in some}),
            hosts=tuple(sorted({finding.host for finding in some})),
            score=math.fsum(finding.score for finding in some),
        )
        for cwe, some in groups.items()
    ]
    return tuple(sorted(made, key=lambda one: (-one.score, one.cwe)))


def name(cwe: str) -> str:
    """MITRE's name for a CWE, in its short form; the id itself where it is a rare one."""
    return NAMES.get(cwe, cwe) if cwe else "not known"
