"""The order of findings and patches, and the words that explain it."""

from __future__ import annotations

import itertools
import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.core.assessment.findings import Finding, FindingState
from suture.core.intelligence.advisories import Severity
from suture.core.intelligence.enrichment import CvssScore, Enrichment, Epss, KnownExploited
from suture.core.inventory import Criticality, Exposure
from suture.core.priority.ranking import RankedPatch, rank_patches
from suture.core.priority.ssvc import Decision
from tests.unit.core.builders import host
from tests.unit.core.priority.ranked import rank

TODAY = date(2026, 3, 2)


def finding(cve: str = "CVE-2026-0001", **fields: Any) -> Finding:
    defaults: dict[str, Any] = {
        "host": "web",
        "package": "nginx",
        "packages": ("nginx",),
        "source": "nginx",
        "installed": "1",
        "fixed": "2",
        "state": FindingState.FIXABLE,
        "reasons": ("nginx 1 is older than 2",),
    }
    return Finding(cve=cve, **defaults | fields)


def score(
    known: dict[str, Any],
    criticality: Criticality = Criticality.MEDIUM,
    exposure: Exposure = Exposure.INTERNAL,
) -> float:
    one = finding()
    (ranked,) = rank(
        [one],
        hosts={"web": host("web", criticality=criticality, exposure=exposure)},
        enrichment={one.cve: enriched(one.cve, **known)},
        today=TODAY,
    )
    return ranked.score


def enriched(
    cve: str,
    *,
    epss: float | None = None,
    cvss: float | None = None,
    kev: bool = False,
) -> Enrichment:
    return Enrichment(
        cve,
        scores=() if cvss is None else (CvssScore("3.1", "", cvss, "nvd"),),
        epss=None if epss is None else Epss(epss),
        kev=KnownExploited(date(2026, 2, 1)) if kev else None,
    )


epss = st.none() | st.floats(0, 1)
cvss = st.none() | st.floats(0, 10)
knowledge = st.fixed_dictionaries({"epss": epss, "cvss": cvss, "kev": st.booleans()})
criticalities = st.sampled_from(Criticality)
exposures = st.sampled_from(Exposure)


@given(knowledge, criticalities, exposures, st.floats(0, 1), st.floats(0, 1))
def test_more_likely_never_ranks_lower(
    known: dict[str, Any], criticality: Criticality, exposure: Exposure, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert score(known | {"epss": low}, criticality, exposure) <= score(
        known | {"epss": high}, criticality, exposure
    )


@given(knowledge, criticalities, exposures, st.floats(0, 10), st.floats(0, 10))
def test_graver_never_ranks_lower(
    known: dict[str, Any], criticality: Criticality, exposure: Exposure, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert score(known | {"cvss": low}, criticality, exposure) <= score(
        known | {"cvss": high}, criticality, exposure
    )


@given(knowledge)
def test_more_at_stake_never_ranks_lower(known: dict[str, Any]) -> None:
    for less, more in itertools.pairwise(Criticality):
        assert score(known, less) <= score(known, more)
    for narrow, wide in itertools.pairwise(Exposure):
        assert score(known, exposure=narrow) <= score(known, exposure=wide)


@given(knowledge, knowledge, criticalities, exposures)
def test_known_exploitation_comes_before_everything_else(
    one: dict[str, Any], other: dict[str, Any], criticality: Criticality, exposure: Exposure
) -> None:
    known = score(one | {"kev": True}, Criticality.LOW, Exposure.ISOLATED)
    assert known >= score(other | {"kev": False}, criticality, exposure) >= 0


def test_ranks_count_from_one_in_the_order_of_scores() -> None:
    findings = [finding(f"CVE-2026-000{n}") for n in (1, 2, 3)]
    known = {
        "CVE-2026-0002": enriched("CVE-2026-0002", kev=True),
        "CVE-2026-0003": enriched("CVE-2026-0003", epss=0.9, cvss=9.8),
    }
    ranked = rank(findings, hosts={}, enrichment=known, today=TODAY)
    assert [one.cve[-1] for one in ranked] == ["2", "3", "1"]
    assert [one.rank for one in ranked] == [1, 2, 3]


def test_likelihood_weighs_more_than_gravity() -> None:
    likely = {"epss": 0.9, "cvss": 5.0}
    assert score(likely) > score({"epss": 0.001, "cvss": 10.0})


def test_reasons_tell_what_is_known_and_what_is_assumed() -> None:
    one = finding()
    (bare,) = rank([one], hosts={}, enrichment={}, today=TODAY)
    assert bare.reasons == (
        "nginx 1 is older than 2",
        "EPSS unknown, taken as 1.00%",
        "CVSS unknown, taken as 6.0",
        "host not described, taken as medium and internal",
        "SSVC track*: public proof of concept (assumed), can be automated (assumed), "
        "total technical impact (assumed), medium mission impact",
    )
    known = KnownExploited(date(2026, 2, 1), due=date(2026, 3, 1), ransomware=True)
    full = replace(enriched(one.cve, cvss=9.8, epss=0.94321), kev=known)
    web = host("web", criticality=Criticality.HIGH, exposure=Exposure.PUBLIC)
    (told,) = rank([one], hosts={"web": web}, enrichment={one.cve: full}, today=TODAY)
    assert told.reasons[1:] == (
        "known to be exploited (KEV), also by ransomware",
        "EPSS 94.32%",
        "CVSS 9.8",
        "high criticality, public exposure",
        "SSVC act: exploited, can be automated (assumed), total technical impact (assumed), "
        "high mission impact",
        "due 2026-03-01, 1 day overdue: CISA's date for what is known to be exploited",
    )
    assert (told.severity, told.cvss, told.epss) == (Severity.CRITICAL, 9.8, 0.94321)
    assert (told.ssvc, told.due, told.overdue) == (Decision.ACT, date(2026, 3, 1), True)


def test_a_deadline_counts_from_the_day_that_each_finding_was_known() -> None:
    new, old = finding(severity=Severity.HIGH), finding(host="db", severity=Severity.CRITICAL)
    since = {("db", old.cve, "nginx"): date(2026, 2, 1)}
    ranked = rank([new, old], hosts={}, enrichment={}, today=TODAY, open_since=since)
    assert {one.host: (one.due, one.overdue) for one in ranked} == {
        "web": (date(2026, 4, 1), False),
        "db": (date(2026, 2, 8), True),
    }
    (unknown,) = rank([new], hosts={}, enrichment={}, today=TODAY)
    assert (unknown.due, unknown.overdue) == (None, False)


def test_a_vector_is_scored_for_the_host() -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    known = Enrichment("CVE-2026-0001", scores=(CvssScore("3.1", vector, 9.8, "nvd"),))
    hosts = {
        "web": host("web"),
        "lab": host("lab", exposure=Exposure.ISOLATED, labels=("availability-low",)),
    }
    web, lab = rank(
        [finding(), finding(host="lab")], hosts=hosts, enrichment={known.cve: known}, today=TODAY
    )
    assert (web.host, web.cvss, lab.cvss) == ("web", 9.8, 9.8)
    assert "CVSS 9.8" in web.reasons
    assert (
        "CVSS 9.8, on this host 8.4 (adjacent network only; low requirement of availability)"
        in lab.reasons
    )


def test_rejected_and_disputed_are_said() -> None:
    known = Enrichment("CVE-2026-0001", rejected=True, disputed=True)
    (one,) = rank([finding()], hosts={}, enrichment={known.cve: known}, today=TODAY)
    assert any(reason.startswith("rejected") for reason in one.reasons)
    assert any(reason.startswith("disputed") for reason in one.reasons)


def test_the_publisher_s_word_stands_in_for_a_missing_score() -> None:
    (one,) = rank([finding(severity=Severity.HIGH)], hosts={}, enrichment={}, today=TODAY)
    assert "CVSS unknown, high taken as 8.0" in one.reasons
    assert one.score > rank([finding()], hosts={}, enrichment={}, today=TODAY)[0].score


@pytest.mark.parametrize("bad", [math.nan, -1.0, 11.0])
def test_a_score_that_cannot_be_is_not_known(bad: float) -> None:
    assert score({"epss": bad, "cvss": bad}) == score({})


def test_what_is_installed_is_patches() -> None:
    findings = [
        finding("CVE-2026-0001", severity=Severity.HIGH),
        finding("CVE-2026-0002", fixed="3", severity=Severity.LOW),
        finding("CVE-2026-0002", host="db", installed="2", fixed="3"),
        finding("CVE-2026-0003", source="curl"),
        finding("CVE-2026-0004", source="bash", state=FindingState.NO_FIX, fixed=None),
        finding("CVE-2026-0005", source="zlib", state=FindingState.RESTART),
    ]
    known = {"CVE-2026-0001": enriched("CVE-2026-0001", epss=0.5, kev=True)}
    ranked = rank(findings, hosts={}, enrichment=known, today=TODAY)
    nginx, curl = rank_patches(ranked)
    total = sum(one.score for one in ranked if one.source == "nginx")
    assert nginx == RankedPatch(
        source="nginx",
        installed=("1", "2"),
        fixed="3",
        cves=("CVE-2026-0001", "CVE-2026-0002"),
        hosts=("db", "web"),
        score=nginx.score,
        severity=Severity.HIGH,
        reason=nginx.reason,
        kev=True,
    )
    assert nginx.score == pytest.approx(total)
    assert nginx.reason.startswith("CVE-2026-0001: known to be exploited, EPSS 50.00%, ")
    assert (curl.source, curl.kev) == ("curl", False)


def test_another_release_needs_another_patch() -> None:
    findings = [finding(), finding(host="old", installed="0.8", fixed="0.9")]
    ranked = rank(findings, hosts={}, enrichment={}, today=TODAY)
    assert {(one.fixed, one.hosts) for one in rank_patches(ranked)} == {
        ("2", ("web",)),
        ("0.9", ("old",)),
    }
