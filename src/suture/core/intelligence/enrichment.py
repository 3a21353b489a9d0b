"""What is known about a CVE apart from any package: scores, weaknesses, exploitation.

Each source says its part (:class:`Enrichment` with most fields left out). :func:`merge` brings the
parts together. None means not known, never zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from msgspec.structs import replace

from suture.core.documents import Document
from suture.core.intelligence.advisories import Severity


class CvssScore(Document, frozen=True, omit_defaults=True):
    """One scoring. ``version`` is ``2.0``, ``3.0``, ``3.1`` or ``4.0``, ``score`` 0 to 10,
    ``source`` who scored it: ``nvd``, ``cna``, ``cisa-adp`` or a publisher."""

    version: str
    vector: str
    score: float
    source: str


class Exploitation(StrEnum):
    """SSVC's decision point, in order."""

    NONE = "none"
    POC = "poc"
    ACTIVE = "active"


class TechnicalImpact(StrEnum):
    PARTIAL = "partial"
    TOTAL = "total"


class Ssvc(Document, frozen=True, omit_defaults=True):
    """The decision points that CISA answers for a vulnerability, as of ``at``."""

    exploitation: Exploitation | None = None
    automatable: bool | None = None
    technical_impact: TechnicalImpact | None = None
    at: date | None = None


class KnownExploited(Document, frozen=True, omit_defaults=True):
    """An entry of CISA's catalogue of known exploited vulnerabilities. ``ransomware``: known to
    be used by ransomware; None is CISA's own "unknown"."""

    added: date
    due: date | None = None
    ransomware: bool | None = None
    action: str = ""


class Epss(Document, frozen=True, omit_defaults=True):
    """The probability, 0 to 1, of exploitation within 30 days, as of ``day``; ``percentile`` is
    the share of all CVEs that score at most as high."""

    probability: float
    percentile: float | None = None
    day: date | None = None


class Enrichment(Document, frozen=True, omit_defaults=True):
    """What one source, or all together, know about ``cve``.

    ``scores`` are all CVSS scorings; :attr:`cvss` and :attr:`vector` are of the one that counts.
    ``description`` is one paragraph of text, ``references`` are URLs.
    """

    cve: str
    scores: tuple[CvssScore, ...] = ()
    epss: Epss | None = None
    kev: KnownExploited | None = None
    ssvc: Ssvc | None = None
    cwe: tuple[str, ...] = ()
    severity: Severity = Severity.UNKNOWN
    published: date | None = None
    modified: date | None = None
    disputed: bool = False
    rejected: bool = False
    description: str = ""
    references: tuple[str, ...] = ()

    @property
    def counted(self) -> CvssScore | None:
        """The scoring that counts: NVD's before the assigner's before others', and of one source
        3.1 before 3.0, 4.0 and 2.0, for the ranking was calibrated on version 3."""
        return min(self.scores, key=_preference, default=None)

    @property
    def cvss(self) -> float | None:
        return self.counted.score if self.counted else None

    @property
    def vector(self) -> str | None:
        return self.counted.vector if self.counted else None


_SOURCES = ("nvd", "cna", "cisa-adp")
_VERSIONS = ("3.1", "3.0", "4.0", "2.0")


def _preference(score: CvssScore) -> tuple[int, int, str, str]:
    source = _SOURCES.index(score.source) if score.source in _SOURCES else len(_SOURCES)
    version = _VERSIONS.index(score.version) if score.version in _VERSIONS else len(_VERSIONS)
    # An old version 2 score says less than anybody's version 3.
    return (
        version == _VERSIONS.index("2.0"),
        source * len(_VERSIONS) + version,
        score.source,
        (score.vector),
    )


def merge(cve: str, parts: Iterable[Enrichment]) -> Enrichment:
    """All that ``parts`` say of ``cve``; where two say one thing, the earlier is believed, and
    what either says of exploitation, dispute or rejection holds."""
    merged = Enrichment(cve)
    for part in parts:
        merged = replace(
            merged,
            scores=(*merged.scores, *(one for one in part.scores if one not in merged.scores)),
            epss=merged.epss or part.epss,
            kev=_exploited(merged.kev, part.kev),
            ssvc=_newer(merged.ssvc, part.ssvc),
            cwe=(*merged.cwe, *(one for one in part.cwe if one not in merged.cwe)),
            severity=part.severity if merged.severity is Severity.UNKNOWN else merged.severity,
            published=merged.published or part.published,
            modified=max(filter(None, (merged.modified, part.modified)), default=None),
            disputed=merged.disputed or part.disputed,
            rejected=merged.rejected or part.rejected,
            description=merged.description or part.description,
            references=(
                *merged.references,
                *(one for one in part.references if one not in merged.references),
            ),
        )
    return merged


def _exploited(one: KnownExploited | None, other: KnownExploited | None) -> KnownExploited | None:
    """Others repeat entries of CISA's catalogue without all that it says."""
    if one is None or other is None:
        return one or other
    return KnownExploited(
        added=one.added,
        due=one.due or other.due,
        ransomware=other.ransomware if one.ransomware is None else one.ransomware,
        action=one.action or other.action,
    )


def _newer(one: Ssvc | None, other: Ssvc | None) -> Ssvc | None:
    """CISA revises its answers, and copies of them are late."""
    if one is None or other is None:
        return one or other
    return other if (other.at or date.min) > (one.at or date.min) else one
