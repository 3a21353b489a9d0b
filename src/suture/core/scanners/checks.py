"""What a scanner's own catalogue says of its checks.

Qualys's detections name numbers (QIDs) alone; its KnowledgeBase says which CVEs a number stands
for. Lines are kept as they were read, and told by the catalogue when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from suture.core.documents import Document
from suture.core.intelligence.advisories import Severity
from suture.core.scanners.scanner import Scanner, ScannerRecord, ScannerState, state_of

_CLOSED = "check:"
_OPEN = (ScannerState.VULNERABILITY, ScannerState.CONFIGURATION)


class Check(Document, frozen=True, omit_defaults=True):
    """``id`` is the scanner's own number. ``patch``: whether there is one, None where the
    catalogue does not say."""

    id: str
    title: str = ""
    severity: Severity = Severity.UNKNOWN
    cves: tuple[str, ...] = ()
    solution: str = ""
    patch: bool | None = None

    @property
    def state(self) -> ScannerState:
        """What kind of thing is open where the check finds something."""
        return state_of(
            nothing_wrong=False, patch=self.patch or None, cves=self.cves, solution=self.solution
        )


def names_check_alone(record: ScannerRecord) -> bool:
    """Whether a line is about something open that only the scanner's catalogue can name."""
    return record.scanner is Scanner.QUALYS and not record.cves and record.state in _OPEN


def bare_title(number: str) -> str:
    """The title of a line of which no more than its check's number is known."""
    return f"QID {number}"


def is_undescribed(record: ScannerRecord) -> bool:
    """Whether nobody has said as yet what a line is about."""
    return names_check_alone(record) and record.title in ("", bare_title(record.plugin))


def informed(record: ScannerRecord, check: Check | None) -> ScannerRecord:
    """A line with what the catalogue says of its check. Where that is nothing it is as it was, and
    counts as a vulnerability where nobody has said what it is about."""
    if check is None:
        unknown = is_undescribed(record)
        return replace(record, state=ScannerState.VULNERABILITY) if unknown else record
    return replace(
        record,
        title=check.title or record.title,
        state=check.state if record.state in _OPEN else record.state,
        severity=check.severity if record.severity is Severity.UNKNOWN else record.severity,
        cves=check.cves,
        solution=check.solution or record.solution,
    )


def closed_by(record: ScannerRecord) -> tuple[str, ...]:
    """What a line calls closed, in words for :func:`closed_cves`: CVEs, or its check."""
    if record.cves or record.scanner is not Scanner.QUALYS or not record.plugin.isdigit():
        return record.cves
    return (f"{_CLOSED}{record.plugin}",)


def check_of(word: str) -> str:
    """The number of the check that a word of :func:`closed_by` is about, empty for a CVE."""
    return word.removeprefix(_CLOSED) if word.startswith(_CLOSED) else ""


def closed_cves(words: frozenset[str], checks: Mapping[str, Check]) -> frozenset[str]:
    """The CVEs for which words of :func:`closed_by` stand."""
    found = {word for word in words if not check_of(word)}
    for word in words - found:
        check = checks.get(check_of(word))
        found.update(check.cves if check else ())
    return frozenset(found)
