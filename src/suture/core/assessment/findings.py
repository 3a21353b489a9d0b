"""Findings: a vulnerability on a host. Derived from packages and advisories, never stored."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from suture.core.documents import Document
from suture.core.intelligence.advisories import Severity
from suture.core.priority.ssvc import Decision


class FindingState(StrEnum):
    """What would close it.

    FIXABLE: a version that an enabled archive offers. FIXED_ELSEWHERE: a fixed version exists,
    but no enabled archive has it. NO_FIX: none exists. RESTART: the fixed version is installed
    and a running process still uses the old one; still open.
    """

    FIXABLE = "fixable"
    FIXED_ELSEWHERE = "fixed-elsewhere"
    NO_FIX = "no-fix"
    RESTART = "restart"


class Finding(Document, frozen=True, gc=False):
    """One CVE in one source package on one host.

    ``package`` is the binary package that stands for the source on that host, ``packages`` all
    of them. ``installed`` is ``package``'s version, ``fixed`` the first version with the fix: of
    the source, or of the package where rpm is used. ``release`` is the host's. ``score`` orders
    findings, higher is more urgent; ``rank`` counts from 1 within the listing. ``kev``: it is
    known to be exploited. ``cvss`` (0 to 10) is the base score, ``epss`` the probability of
    exploitation; None where there is none. ``due`` is the day by which it has to be closed, None
    where no limit is known. ``published`` is the advisory's day. ``reasons`` say in words why it
    is open and why it ranks where it does.
    """

    cve: str
    host: str
    package: str
    packages: tuple[str, ...]
    source: str
    installed: str
    fixed: str | None
    state: FindingState
    severity: Severity = Severity.UNKNOWN
    advisory: str = ""
    publisher: str = ""
    release: str = ""
    score: float = 0.0
    rank: int = 0
    kev: bool = False
    cvss: float | None = None
    epss: float | None = None
    cwe: tuple[str, ...] = ()
    ssvc: Decision | None = None
    due: date | None = None
    overdue: bool = False
    published: date | None = None
    reasons: tuple[str, ...] = ()
