"""Fields that many publishers share, made safe: CVE ids, dates, words of severity, lines of text.

What is written in a feed is hostile. A name or a version with characters that no package manager
uses is refused with its file; prose is cut to one line without control characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from suture.core.intelligence.advisories import FixState, Severity
from suture.reading import UnreadableError

MAX_TEXT = 300  # characters of a summary or a note
MAX_TOKEN = 255  # of a name or a version

_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
_TOKEN = re.compile(rf"[!-~]{{1,{MAX_TOKEN}}}")
_VERSION = re.compile(rf"[A-Za-z0-9][A-Za-z0-9.+~^:_-]{{0,{MAX_TOKEN - 1}}}")
_URL = re.compile(r"https?://[!-~]{1,2000}")
_DISPUTED = re.compile(r"\s*\*\*\s*DISPUTED\s*\*\*", re.IGNORECASE)

_SEVERITIES = {
    "negligible": Severity.LOW,
    "unimportant": Severity.LOW,
    "minimal": Severity.LOW,
    "low": Severity.LOW,
    "moderate": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "important": Severity.HIGH,
    "high": Severity.HIGH,
    "critical": Severity.CRITICAL,
}


def severity(word: object) -> Severity:
    """The publisher's word on our scale, UNKNOWN where it is none that is known."""
    return (
        _SEVERITIES.get(word.strip().lower(), Severity.UNKNOWN)
        if isinstance(word, str)
        else (Severity.UNKNOWN)
    )


def cves(*texts: Iterable[str]) -> tuple[str, ...]:
    """The CVE ids named in ``texts``, each once, in their order."""
    return tuple(dict.fromkeys(cve for text in texts for one in text for cve in _CVE.findall(one)))


def is_cve(text: str) -> bool:
    return _CVE.fullmatch(text) is not None


def day(text: object) -> date | None:
    """The date that an ISO 8601 time begins with, None where it does not."""
    try:
        return date.fromisoformat(text[:10]) if isinstance(text, str) else None
    except ValueError:
        return None


def line(text: object) -> str:
    """Prose on one line: white space and control characters become single spaces."""
    if not isinstance(text, str):
        return ""
    # No more than a few times the limit is looked at, for it may be white space by the megabyte.
    printable = "".join(one if one.isprintable() else " " for one in text[: 4 * MAX_TEXT])
    words = " ".join(printable.split())
    return words if len(words) <= MAX_TEXT else words[: MAX_TEXT - 1].rstrip() + "…"


def token(text: str, *, name: str) -> str:
    """A name, an id or a version as it is: printable ASCII without white space.

    Raises :class:`UnreadableError`, which blames the file ``name``.
    """
    if _TOKEN.fullmatch(text) is None:
        raise UnreadableError(
            f"{name} names something that is no package or version: {text[:80]!a}"
        )
    return text


def fix(version: str) -> tuple[FixState, str | None, str]:
    """(state, fixed, note) for the version that a publisher says has the fix: ``0`` where no
    version was ever affected. What cannot be a version is named in the note and not guessed at.
    """
    if version == "0":
        return FixState.NOT_AFFECTED, None, ""
    if _VERSION.fullmatch(version):
        return FixState.FIXED, version, ""
    said = line(version) or "nothing"
    return FixState.UNDER_INVESTIGATION, None, f"the fixed version cannot be read: {said}"


def url(text: object) -> str:
    """An address of the web, empty where it is not one."""
    return text if isinstance(text, str) and _URL.fullmatch(text) else ""


def disputed(description: str) -> bool:
    """Whether the CVE's description is marked as disputed by the vendor, as MITRE marks it."""
    return _DISPUTED.match(description) is not None
