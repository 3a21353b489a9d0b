"""What a Debian changelog says: which version fixed which vulnerabilities, and when.

Where no feed can be reached the archive still speaks through its changelogs. They name what was
fixed, not what is open, and their urgency is the uploader's, so a publisher's own feed wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from suture.core.documents import Document
from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.core.versions import compare, is_valid

PUBLISHER = "changelog"

MAX_TEXT = 4_000_000  # characters; the longest in Debian, the kernel's, has about half of that
MAX_ENTRIES = 2000
MAX_SUMMARY = 300

_HEADER = re.compile(
    r"(?P<source>[a-z0-9][a-z0-9+.-]{1,200}) \((?P<version>[^\s()]{1,255})\)"
    r" (?P<distribution>[A-Za-z0-9 ./_-]{1,200});(?P<fields>.*)"
)
_TRAILER = re.compile(r" -- .*?(\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} [+-]\d{4})")
_URGENCY = re.compile(r"\burgency=([A-Za-z]{1,20})", re.IGNORECASE)
_CVE = re.compile(r"(?<![A-Z0-9])CVE-\d{4}-\d{4,10}(?!\d)", re.IGNORECASE | re.ASCII)
_UPLOADED_BY = re.compile(r"\[.*\]|\* ?(Non-maintainer upload|Team upload|QA upload).*")

# Debian's default is medium, and much is uploaded with it that is grave.
_SEVERITY = {
    "high": Severity.HIGH,
    "critical": Severity.CRITICAL,
    "emergency": Severity.CRITICAL,
}


class ChangelogEntry(Document, frozen=True):
    """One version of a source package. ``cves`` are sorted; ``summary`` is one line of text."""

    source: str
    version: str
    distribution: str
    urgency: str
    date: datetime | None
    cves: tuple[str, ...]
    summary: str


def parse(text: str) -> tuple[ChangelogEntry, ...]:
    """The entries in the order they are written, newest first as a rule.

    Never raises: what is not an entry is passed over. Entries of binary-only rebuilds are left
    out, for their versions are not those of a source.
    """
    blocks: list[tuple[re.Match[str], list[str]]] = []
    for line in text[:MAX_TEXT].splitlines():
        header = _HEADER.match(line)
        if header:
            if len(blocks) == MAX_ENTRIES:
                break
            blocks.append((header, []))
        elif blocks:
            blocks[-1][1].append(line)
    return tuple(
        _entry(header, lines)
        for header, lines in blocks
        if is_valid(header["version"]) and "binary-only=yes" not in header["fields"]
    )


def advisories(
    entries: Iterable[ChangelogEntry], *, release: str, installed: str, publisher: str = PUBLISHER
) -> tuple[Advisory, ...]:
    """One advisory for each entry newer than ``installed`` (a source version) that names CVEs.

    ``release`` is as in :attr:`OperatingSystem.release`.
    """
    return tuple(
        Advisory(
            id=f"{publisher}:{entry.source}:{entry.version}",
            publisher=publisher,
            cves=entry.cves,
            affected=(Affected(release, entry.source, FixState.FIXED, entry.version),),
            severity=_SEVERITY.get(entry.urgency, Severity.UNKNOWN),
            published=entry.date.date() if entry.date else None,
            summary=entry.summary,
        )
        for entry in entries
        if entry.cves and compare(entry.version, installed) > 0
    )


def published(entries: Iterable[ChangelogEntry]) -> dict[str, date]:
    """Version → the day on which it was finished, where the changelog says so."""
    return {entry.version: entry.date.date() for entry in entries if entry.date}


def _entry(header: re.Match[str], lines: Sequence[str]) -> ChangelogEntry:
    urgency = _URGENCY.search(header["fields"])
    return ChangelogEntry(
        source=header["source"],
        version=header["version"],
        distribution=header["distribution"],
        urgency=urgency[1].lower() if urgency else "",
        date=_date(lines),
        cves=tuple(sorted({cve.upper() for cve in _CVE.findall("\n".join(lines))}, key=_by_number)),
        summary=_summary(lines),
    )


def _by_number(cve: str) -> tuple[int, int]:
    _, year, number = cve.split("-")
    return int(year), int(number)


def _date(lines: Sequence[str]) -> datetime | None:
    for line in reversed(lines):
        trailer = _TRAILER.match(line)
        if trailer:
            try:
                return datetime.strptime(trailer[1], "%d %b %Y %H:%M:%S %z")
            except ValueError:
                return None
    return None


def _summary(lines: Sequence[str]) -> str:
    """The first change, its lines joined."""
    said: list[str] = []
    for line in (line.strip() for line in lines if not line.startswith(" -- ")):
        if said and (not line or line.startswith("*")):
            break
        if line and not _UPLOADED_BY.fullmatch(line):
            said.append(line.removeprefix("*").lstrip())
    text = "".join(c if c.isprintable() else " " for c in " ".join(said))
    return text if len(text) <= MAX_SUMMARY else text[: MAX_SUMMARY - 1] + "…"
