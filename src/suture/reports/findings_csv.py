"""Findings as CSV (RFC 4180), for spreadsheets.

What comes from hosts and feeds could be a formula; a spreadsheet would run it when the file is
opened, so such a cell begins with an apostrophe (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TextIO

from suture.core.assessment.findings import Finding

COLUMNS = (
    "rank",
    "cve",
    "host",
    "source",
    "packages",
    "installed",
    "fixed",
    "state",
    "severity",
    "known_exploited",
    "cvss",
    "epss",
    "cwe",
    "ssvc",
    "due",
    "score",
    "publisher",
    "advisory",
    "reasons",
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write(findings: Iterable[Finding], out: TextIO) -> None:
    """A header, then a line a finding, in the order given; what is not known is left empty."""
    lines = csv.writer(out)
    lines.writerow(COLUMNS)
    for one in findings:
        lines.writerow(
            safe(value)
            for value in (
                str(one.rank),
                one.cve,
                one.host,
                one.source,
                " ".join(one.packages),
                one.installed,
                one.fixed or "",
                one.state.value,
                one.severity.value,
                "yes" if one.kev else "no",
                "" if one.cvss is None else f"{one.cvss:.1f}",
                "" if one.epss is None else f"{one.epss:.5f}",
                " ".join(one.cwe),
                one.ssvc.value if one.ssvc else "",
                one.due.isoformat() if one.due else "",
                f"{one.score:.3f}",
                one.publisher,
                one.advisory,
                "; ".join(one.reasons),
            )
        )


def safe(cell: str) -> str:
    """The cell, marked as text where a spreadsheet would take it for a formula."""
    if cell.startswith(_FORMULA) and not _is_number(cell):
        return f"'{cell}"
    return cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
