"""A host of which nothing is known does not read as one without findings."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from suture.cli.findings_view import (
    print_explanations,
    print_findings,
    print_overview,
    print_unknown,
)
from suture.core.assessment.findings import Finding, FindingState
from suture.services.findings import Explanation, OpenFindings
from suture.services.overview import Overview
from suture.services.unjudged import Unjudged

UNKNOWN = tuple(
    Unjudged(f"rpm{n}", "fedora:40", "no feed speaks of it", "suture feeds sync fedora-40")
    for n in range(7)
)


def test_hosts_that_could_not_be_judged_are_named_with_the_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_findings(OpenFindings((), (), None, (), unjudged=UNKNOWN), every=False)
    print_overview(Overview(7, 0, 0, (), (), unjudged=UNKNOWN))
    shown = " ".join(capsys.readouterr().out.split())
    told = "Not assessed, so unknown: rpm0, rpm1, rpm2, rpm3, rpm4 and 2 more: no feed speaks of it"
    assert shown.count(told) == 2
    assert shown.count("suture feeds sync fedora-40") == 2


def test_of_many_hosts_never_scanned_the_first_are_named_with_the_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    never = tuple(f"web{number:04}.example.org" for number in range(3000))
    print_unknown(never, ())
    print_unknown(never, (), by=datetime(2026, 1, 2, tzinfo=UTC))
    now, then = " ".join(capsys.readouterr().out.split()).split("Not scanned by ")
    assert now.startswith("Never scanned, so unknown: web0000.example.org, ")
    assert now.endswith("and 2,994 more. Run: suture scan ")
    assert then.startswith("2026-01-02 00:00 UTC, so unknown: web0000.example.org, ")
    assert then.endswith("and 2,994 more.")


def test_hosts_of_which_the_same_is_to_be_said_are_named_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    open_ = Finding(
        "CVE-2026-0001", "web", "nginx", ("nginx",), "nginx", "1", "2", FindingState.FIXABLE
    )
    found = [
        Explanation(f"web{n}", replace(open_, host=f"web{n}", rank=n), None, (), "open")
        for n in range(1, 3001)
    ]
    print_explanations([*found, Explanation("db1", None, None, (), "not open")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "web1, web2, web3, web4, web5, web6 and 2,994 more: open"
    assert "  rank 1 to 3,000 (score 0.00)" in lines
    assert lines[-1] == "db1: not open"
    assert len(lines) < 10
