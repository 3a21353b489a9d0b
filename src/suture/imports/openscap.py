"""OpenSCAP: results as XCCDF (1.1 and 1.2), alone or within an ARF report.

The rules stand before the results and describe them; a rule made from a vendor's OVAL definition
(``oval-…``) is about a patch. The formats:
https://csrc.nist.gov/projects/security-content-automation-protocol/specifications/xccdf and …/arf
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from suture.core.documents import Document
from suture.core.intelligence.advisories import Severity
from suture.core.scanners.scanner import (
    Scanner,
    ScannerHost,
    ScannerRecord,
    ScannerState,
    cves_in,
    line,
)
from suture.imports.fields import identity, moment
from suture.reading import MAX_FILE, UnreadableError, elements, opened

MAX_RULES = 200_000
_RESULTS = {
    "pass": ScannerState.CLOSED,
    "fixed": ScannerState.CLOSED,
    "fail": ScannerState.VULNERABILITY,
    "error": ScannerState.UNKNOWN,
    "unknown": ScannerState.UNKNOWN,
}
_SEVERITIES = {
    "low": Severity.LOW,
    "medium": Severity.MEDIUM,
    "high": Severity.HIGH,
    "critical": Severity.CRITICAL,
}


class _Rule(Document, frozen=True):
    title: str
    severity: str
    cves: tuple[str, ...]
    fix: str


_NO_RULE = _Rule("", "", (), "")


def of_xml(path: Path, *, limit: int = MAX_FILE) -> Iterator[ScannerRecord]:
    """The results of rules; raises :class:`UnreadableError`, also where the file has more than
    ``limit`` bytes unpacked."""
    rules: dict[str, _Rule] = {}
    said: list[str] = []
    ended = ""
    host: ScannerHost | None = None
    with opened(path, limit=limit) as stream:
        for element in elements(
            stream,
            *("Rule", "target", "target-address", "rule-result"),
            name=path.name,
            opening=("TestResult",),
        ):
            if element.tag == "Rule":
                rules[element.get("id", "")] = _rule(element)
                if len(rules) > MAX_RULES:
                    raise UnreadableError(f"{path.name} has more than {MAX_RULES} rules")
            elif element.tag == "TestResult":
                said, ended, host = [], element.get("end-time", ""), None
            elif element.tag == "rule-result":
                host = host or identity(*said, credentialed=True)
                yield _result(element, host, rules, ended)
            else:
                said.append(element.text or "")


def _rule(rule: Element) -> _Rule:
    return _Rule(
        title=_words(rule.find("title")),
        severity=rule.get("severity", ""),
        cves=_cves(rule),
        fix=_words(rule.find("fixtext")) or _words(rule.find("rationale")),
    )


def _words(element: Element | None) -> str:
    """Text with the markup that XCCDF allows in it."""
    return line(" ".join(element.itertext())) if element is not None else ""


def _cves(element: Element) -> tuple[str, ...]:
    return cves_in(" ".join(ident.text or "" for ident in element.iterfind("ident")))


def _result(
    result: Element, host: ScannerHost, rules: dict[str, _Rule], ended: str
) -> ScannerRecord:
    name = result.get("idref", "")
    rule = rules.get(name, _NO_RULE)
    cves = _cves(result) or rule.cves
    state = _RESULTS.get((result.findtext("result") or "").strip(), ScannerState.INFORMATION)
    if state is ScannerState.VULNERABILITY and not cves and not name.startswith("oval-"):
        state = ScannerState.CONFIGURATION
    severity = (result.get("severity") or rule.severity).lower()
    return ScannerRecord(
        scanner=Scanner.OPENSCAP,
        host=host,
        plugin=line(name, 128),
        title=rule.title or line(name, 128),
        state=state,
        severity=_SEVERITIES.get(severity, Severity.UNKNOWN),
        cves=cves,
        seen_at=moment(result.get("time") or ended),
        solution=rule.fix,
    )
