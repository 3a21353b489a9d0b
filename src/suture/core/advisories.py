"""What publishers say about vulnerabilities, and what others know about them."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from suture.core.documents import Document


class Severity(StrEnum):
    """The publisher's own word, brought to one scale; UNKNOWN is not the lowest."""

    UNKNOWN = "unknown"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class FixState(StrEnum):
    """What a publisher says about a vulnerability in a package of a release."""

    FIXED = "fixed"
    AFFECTED = "affected"
    NOT_AFFECTED = "not-affected"
    WILL_NOT_FIX = "will-not-fix"
    UNDER_INVESTIGATION = "under-investigation"


class Advisory(Document, frozen=True):
    """One publisher's statement about one source package of one release.

    ``fixed`` is the source version that first has the fix, None unless ``state`` is FIXED.
    ``publisher`` names where the statement came from, ``changelog`` for the archive's own word.
    """

    id: str
    publisher: str
    release: str
    source: str
    cves: tuple[str, ...]
    state: FixState
    fixed: str | None = None
    severity: Severity = Severity.UNKNOWN
    published: date | None = None
    summary: str = ""
    url: str = ""


class Enrichment(Document, frozen=True):
    """What is known about a CVE apart from any package. None means not known, never zero.

    ``cvss`` is 0 to 10, ``epss`` a probability.
    """

    cve: str
    cvss: float | None = None
    vector: str | None = None
    epss: float | None = None
    kev: bool = False
    kev_due: date | None = None
    ransomware: bool = False
    cwe: tuple[str, ...] = ()
    severity: Severity = Severity.UNKNOWN
