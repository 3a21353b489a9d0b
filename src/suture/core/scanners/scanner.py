"""What other scanners report: one shape for Nessus, OpenVAS, Qualys and OpenSCAP.

Reports are foreign and may be hostile. The readers in ``suture.imports`` bound what they take over;
texts here are on one line and short.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from enum import StrEnum

from suture.core.documents import Document
from suture.core.intelligence.advisories import Severity

MAX_TEXT = 500
MAX_NAMES = 64
MAX_CVES = 2_000
MAX_PACKAGES = 200

_CVE = re.compile(r"\bCVE-[12]\d{3}-\d{4,12}\b", re.IGNORECASE)
_UPDATE = re.compile(
    r"\b(upgrad|updat|patch|hotfix|(fixed|repaired) (version|package)|later version)", re.IGNORECASE
)
_PERHAPS = re.compile(r"\b(install|vendor|no known|any fix)", re.IGNORECASE)


class Scanner(StrEnum):
    NESSUS = "nessus"
    OPENVAS = "openvas"
    QUALYS = "qualys"
    OPENSCAP = "openscap"

    @property
    def label(self) -> str:
        """Its name as its makers write it."""
        return {"nessus": "Nessus", "openvas": "OpenVAS", "qualys": "Qualys"}.get(
            self.value, "OpenSCAP"
        )


class ScannerState(StrEnum):
    """What kind of thing a line of a report is.

    VULNERABILITY: open, and a patch would close it. CONFIGURATION: open, and no patch closes it.
    CLOSED: the scanner looked and says that it is not open. UNKNOWN: the scanner tried and could
    not tell. INFORMATION: nothing to be closed.
    """

    VULNERABILITY = "vulnerability"
    CONFIGURATION = "configuration"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    INFORMATION = "information"


class ScannerHost(Document, frozen=True, omit_defaults=True):
    """A host as a scanner knows it. ``ids`` are those of its agent or in the scanner's list of
    assets. ``credentialed``: whether it could look from inside; None where it does not say.
    ``enrolled`` is set where Suture itself ran the scanner on that enrolled host; no report says
    it."""

    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    os: str = ""
    credentialed: bool | None = None
    enrolled: str = ""

    @property
    def label(self) -> str:
        """What a person would call it."""
        said = [part[0] for part in (self.names, self.addresses) if part] or list(self.ids[:1])
        return " at ".join(said) or "a host without a name"


class PackageEvidence(Document, frozen=True):
    """A package that the scanner saw, as it wrote it; empty where it does not say."""

    name: str
    installed: str = ""
    fixed: str = ""


class ScannerRecord(Document, frozen=True, omit_defaults=True):
    """One line of a report. ``plugin`` is the scanner's own number or name of the check; times
    without a zone are taken as UTC."""

    scanner: Scanner
    host: ScannerHost
    plugin: str
    title: str
    state: ScannerState
    severity: Severity = Severity.UNKNOWN
    cves: tuple[str, ...] = ()
    packages: tuple[PackageEvidence, ...] = ()
    port: int | None = None
    protocol: str = ""
    seen_at: datetime | None = None
    solution: str = ""


class Truncated(Document, frozen=True):
    """What stands for a line where the scanner says that it does not give all; ``why`` is its
    own word."""

    why: str


def line(text: str | None, limit: int = MAX_TEXT) -> str:
    """``text`` on one line, at most ``limit`` characters of it."""
    words = (text or "")[: 4 * limit].replace("\0", " ").split()
    shown = " ".join(words)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def address_of(word: str) -> str:
    """An IP address in its canonical form, empty where it is none."""
    try:
        return str(ipaddress.ip_address(word.strip("[]")))
    except ValueError:
        return ""


def cves_in(text: str) -> tuple[str, ...]:
    """The CVEs named in ``text``, each once, in its order."""
    found = dict.fromkeys(match.group().upper() for match in _CVE.finditer(text))
    return tuple(found)[:MAX_CVES]


def is_cve(text: str) -> bool:
    return _CVE.fullmatch(text) is not None


def severity_of(score: str | None) -> Severity:
    """CVSS's own bands (https://www.first.org/cvss/v3.1/specification-document, table 14); a
    score of 0, or none, is not known."""
    try:
        number = float(score or "")
    except ValueError:
        return Severity.UNKNOWN
    bands = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM))
    low = Severity.LOW if 0 < number <= 10 else Severity.UNKNOWN
    return next((band for least, band in bands if least <= number <= 10), low)


def state_of(
    *, nothing_wrong: bool, patch: bool | None, cves: tuple[str, ...], solution: str
) -> ScannerState:
    """What kind a line is. ``patch`` is the scanner's own word on whether a patch exists, None
    where it gives none. Then a solution that speaks of an update stands for it, for many a CVE is
    one of a protocol or a setting; where the solution is not clear, a CVE does."""
    if nothing_wrong:
        return ScannerState.INFORMATION
    if patch is None:
        unclear = bool(cves) and (not solution or _PERHAPS.search(solution) is not None)
        patch = unclear or _UPDATE.search(solution) is not None
    return ScannerState.VULNERABILITY if patch else ScannerState.CONFIGURATION


def port_of(text: str | None) -> int | None:
    """A port number; None for none (scanners write 0, ``general`` or nothing)."""
    text = (text or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        return None
    return int(text) if 0 < int(text) < 65536 else None
