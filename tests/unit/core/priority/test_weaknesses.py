"""Findings grouped by their weakness."""

from __future__ import annotations

import pytest

from suture.core.priority.weaknesses import Weakness, group, name
from tests.unit.core.priority.test_ranking import finding


def test_the_weakness_that_costs_most_comes_first() -> None:
    findings = [
        finding("CVE-2026-0001", cwe=("CWE-787",), score=5.0),
        finding("CVE-2026-0001", host="db", cwe=("CWE-787",), score=4.0),
        finding("CVE-2026-0002", cwe=("CWE-79", "CWE-787"), score=3.0),
        finding("CVE-2026-0003", score=6.0),
    ]
    assert group(findings) == (
        Weakness("CWE-787", "Out-of-bounds Write", 3, 2, ("db", "web"), 12.0),
        Weakness("", "not known", 1, 1, ("web",), 6.0),
        Weakness("CWE-79", "Cross-site Scripting", 1, 1, ("web",), 3.0),
    )


@pytest.mark.parametrize(
    ("cwe", "said"), [("CWE-22", "Path Traversal"), ("CWE-99999", "CWE-99999"), ("", "not known")]
)
def test_a_rare_weakness_is_called_by_its_id(cwe: str, said: str) -> None:
    assert name(cwe) == said
