"""SARIF with a rule a vulnerability and a result a finding."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from suture.core.intelligence.advisories import Severity
from suture.reports.sarif import render
from tests.unit.reports.test_cyclonedx import FINDING


def run(*findings: Any) -> dict[str, Any]:
    document = json.loads(render(findings))
    assert document["version"] == "2.1.0"
    (one,) = document["runs"]
    return dict(one)


def test_a_vulnerability_on_two_hosts_is_one_rule() -> None:
    made = run(FINDING, replace(FINDING, host="web2"))
    (rule,) = made["tool"]["driver"]["rules"]
    assert rule["id"] == "CVE-2026-0001"
    first, second = made["results"]
    assert first["ruleIndex"] == second["ruleIndex"] == 0
    assert first["partialFingerprints"] != second["partialFingerprints"]


def test_unknown_severity_has_no_number() -> None:
    (known,) = run(replace(FINDING, severity=Severity.HIGH))["tool"]["driver"]["rules"]
    (unknown,) = run(FINDING)["tool"]["driver"]["rules"]
    assert known["properties"]["security-severity"] == "8.0"
    assert "security-severity" not in unknown["properties"]


def test_names_of_hosts_are_no_paths() -> None:
    (result,) = run(replace(FINDING, host="../a b"))["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == "..%2Fa%20b/packages"
