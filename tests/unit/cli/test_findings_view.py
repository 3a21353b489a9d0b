"""A host of which nothing is known does not read as one without findings."""

from __future__ import annotations

import pytest

from suture.cli.findings_view import print_findings, print_overview
from suture.services.findings import OpenFindings
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
