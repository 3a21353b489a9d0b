"""Findings against which a control is in force: open, said so, and less urgent."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from suture.core.assessment.findings import Finding, FindingState
from suture.core.assessment.mitigation import InForce, reasons
from suture.core.controls import Control, Module
from suture.core.intelligence.enrichment import CvssScore, Enrichment, Epss, KnownExploited
from suture.core.priority.urgency import RankingWeights
from tests.unit.core.builders import host
from tests.unit.core.priority.ranked import rank

TODAY = date(2026, 3, 2)


def in_force(name: str, *cves: str, on: str = "web", day: int = 1) -> InForce:
    control = Control(id=name, title="t", reason="r", cves=cves, module=Module("m"))
    return InForce(on, control, "r1", datetime(2026, 3, day, tzinfo=UTC))


def finding(cve: str, on: str = "web") -> Finding:
    return Finding(
        cve=cve,
        host=on,
        package="linux",
        packages=("linux",),
        source="linux",
        installed="1",
        fixed=None,
        state=FindingState.NO_FIX,
        reasons=("no fix yet",),
    )


def ranked(
    *found: Finding,
    by: tuple[InForce, ...],
    known: tuple[Enrichment, ...] = (),
    weight: float = 0.3,
) -> tuple[Finding, ...]:
    return rank(
        found,
        hosts={name: host(name) for name in ("web", "db")},
        enrichment={one.cve: one for one in known},
        today=TODAY,
        weights=RankingWeights(mitigated=weight),
        mitigated=reasons(by),
    )


def enriched(cve: str, epss: float, cvss: float, *, kev: bool = False) -> Enrichment:
    return Enrichment(
        cve,
        scores=(CvssScore("3.1", "", cvss, "nvd"),),
        epss=Epss(epss),
        kev=KnownExploited(TODAY) if kev else None,
    )


def test_the_oldest_of_several_controls_is_named() -> None:
    said = reasons([in_force("new", "CVE-2026-0001", day=2), in_force("old", "CVE-2026-0001")])
    assert said == {("web", "CVE-2026-0001"): "mitigated by control old since 2026-03-01"}


def test_a_mitigated_finding_stays_open_says_so_and_ranks_lower() -> None:
    one, other = finding("CVE-2026-0001"), finding("CVE-2026-0002")
    first, second = ranked(one, other, by=(in_force("x", "CVE-2026-0001"),))
    assert [first.cve, second.cve] == ["CVE-2026-0002", "CVE-2026-0001"]
    assert second.reasons[:2] == ("no fix yet", "mitigated by control x since 2026-03-01")
    assert second.score == first.score * 0.3
    assert second.state is FindingState.NO_FIX


def test_it_counts_on_its_host_alone() -> None:
    there, here = finding("CVE-2026-0001", "db"), finding("CVE-2026-0001")
    first, second = ranked(there, here, by=(in_force("x", "CVE-2026-0001"),))
    assert (first.host, second.host) == ("db", "web")
    assert not any("mitigated" in reason for reason in first.reasons)


@given(st.floats(0, 1), st.floats(0, 10), st.floats(0, 1), st.floats(0, 10), st.floats(0, 1))
def test_what_is_known_to_be_exploited_stays_first(
    epss: float, cvss: float, other_epss: float, other_cvss: float, weight: float
) -> None:
    known = (
        enriched("CVE-2026-0001", epss, cvss, kev=True),
        enriched("CVE-2026-0002", other_epss, other_cvss),
    )
    found = ranked(
        finding("CVE-2026-0002"),
        finding("CVE-2026-0001"),
        by=(in_force("x", "CVE-2026-0001"),),
        known=known,
        weight=weight,
    )
    assert found[0].cve == "CVE-2026-0001"
    assert all(one.score >= 0 for one in found)
