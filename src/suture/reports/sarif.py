"""Findings as SARIF 2.1.0, for code scanning platforms and issue trackers.

A rule is a CVE, a result a finding. SARIF knows source files and not servers: a result's logical
location is the package on its host, and its physical one the package database there, which some
platforms insist on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from suture import __version__
from suture.core.assessment.findings import Finding
from suture.core.documents import digest, encode
from suture.core.intelligence.advisories import Severity

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.UNKNOWN: "warning",
}
# The middle of each band of CVSS, where there is no score: platforms sort by this number.
_SECURITY_SEVERITY = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
}


def render(findings: Iterable[Finding]) -> bytes:
    """One run with all ``findings``, in the order given."""
    listed = list(findings)
    places: dict[str, int] = {}
    rules: list[dict[str, Any]] = []
    for one in listed:
        if one.cve not in places:
            places[one.cve] = len(rules)
            rules.append(_rule(one))
    return encode(
        {
            "$schema": _SCHEMA,
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {"driver": {"name": "Suture", "version": __version__, "rules": rules}},
                    "columnKind": "utf16CodeUnits",
                    "results": [_result(one, places) for one in listed],
                }
            ],
        }
    )


def _rule(one: Finding) -> dict[str, Any]:
    properties: dict[str, Any] = {"tags": ["security", "vulnerability", one.severity.value]}
    if one.cvss is not None:
        properties["security-severity"] = f"{one.cvss:.1f}"
    elif one.severity in _SECURITY_SEVERITY:
        properties["security-severity"] = _SECURITY_SEVERITY[one.severity]
    return {
        "id": one.cve,
        "shortDescription": {"text": f"{one.cve} in {one.source}"},
        "helpUri": f"https://www.cve.org/CVERecord?id={one.cve}",
        "properties": properties,
    }


def _result(one: Finding, places: Mapping[str, int]) -> dict[str, Any]:
    remedy = f"update to {one.fixed}" if one.fixed else "no fixed version is known"
    name = f"{one.host}/{one.package}"
    return {
        "ruleId": one.cve,
        "ruleIndex": places[one.cve],
        "level": _LEVELS[one.severity],
        "message": {
            "text": f"{one.cve} is open on {one.host}: {one.package} {one.installed}; {remedy}. "
            + "; ".join(one.reasons)
        },
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": f"{quote(one.host, safe='')}/packages"}
                },
                "logicalLocations": [{"fullyQualifiedName": name, "kind": "package"}],
            }
        ],
        "partialFingerprints": {"finding/v1": digest((one.host, one.source, one.cve))},
        "properties": {
            "state": one.state.value,
            "severity": one.severity.value,
            "knownExploited": one.kev,
            "fixed": one.fixed,
            "suture-rank": one.rank,
        },
    }
