"""CISA's tree, leaf by leaf, and what happens where an input is not known."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

from suture.core.intelligence.enrichment import (
    CvssScore,
    Enrichment,
    Exploitation,
    KnownExploited,
    Ssvc,
    TechnicalImpact,
)
from suture.core.inventory import Criticality, Exposure
from suture.core.priority.ssvc import Decision, Mission, decide, mission

TABLE = Path(__file__).parents[3] / "recorded/ssvc/cisa_coordinator_2_0_3.csv"
CVE = "CVE-2026-0001"


def published() -> list[list[str]]:
    with TABLE.open() as lines:
        return list(csv.reader(lines))[1:]


@pytest.mark.parametrize("row", published(), ids=lambda row: "-".join(row))
def test_every_leaf_is_as_published(row: list[str]) -> None:
    _, exploitation, automatable, impact, at_stake, decision = row
    points = Ssvc(
        Exploitation(exploitation.removeprefix("public ")),
        automatable == "yes",
        TechnicalImpact(impact),
    )
    outcome = decide(Enrichment(CVE, ssvc=points), Mission(at_stake))
    assert (outcome.decision, outcome.assumed) == (Decision(decision), ())


def test_the_published_table_has_all_leaves() -> None:
    assert len({tuple(row[1:5]) for row in published()}) == 36


def scored(vector: str) -> Enrichment:
    return Enrichment(CVE, scores=(CvssScore("3.1", vector, 5.0, "nvd"),))


def test_what_nobody_answered_is_assumed_and_named() -> None:
    outcome = decide(Enrichment(CVE), Mission.MEDIUM)
    assert outcome.decision is Decision.TRACK_CLOSELY
    assert outcome.assumed == ("exploitation", "automatable", "technical impact")
    assert outcome.reason == (
        "SSVC track*: public proof of concept (assumed), can be automated (assumed), "
        "total technical impact (assumed), medium mission impact"
    )


@pytest.mark.parametrize(
    ("vector", "said"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "can be automated, total"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", "cannot be automated, total"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "can be automated, partial"),
        ("AV:N/AC:L/Au:N/C:C/I:C/A:C", "can be automated, total"),
        (
            "CVSS:4.0/AV:L/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
            "cannot be automated, total",
        ),
        ("CVSS:3.1/AV:N", "can be automated, total"),
    ],
)
def test_what_nobody_answered_is_taken_from_the_vector(vector: str, said: str) -> None:
    outcome = decide(scored(vector), Mission.MEDIUM)
    assert said in outcome.reason.replace(" (assumed)", "")
    assert outcome.assumed == ("exploitation", "automatable", "technical impact")


def test_what_is_known_to_be_exploited_is_active_whatever_was_said_before() -> None:
    known = Enrichment(
        CVE,
        kev=KnownExploited(date(2026, 1, 1)),
        ssvc=Ssvc(Exploitation.NONE, True, TechnicalImpact.TOTAL),
    )
    outcome = decide(known, Mission.HIGH)
    assert (outcome.decision, outcome.assumed) == (Decision.ACT, ())


@pytest.mark.parametrize(
    ("criticality", "exposure", "at_stake"),
    [
        (Criticality.LOW, Exposure.ISOLATED, Mission.LOW),
        (Criticality.LOW, Exposure.PUBLIC, Mission.MEDIUM),
        (Criticality.MEDIUM, Exposure.INTERNAL, Mission.MEDIUM),
        (Criticality.MEDIUM, Exposure.PUBLIC, Mission.HIGH),
        (Criticality.HIGH, Exposure.PUBLIC, Mission.HIGH),
        (Criticality.HIGH, Exposure.ISOLATED, Mission.MEDIUM),
        (Criticality.CRITICAL, Exposure.ISOLATED, Mission.HIGH),
    ],
)
def test_mission_comes_from_the_host(
    criticality: Criticality, exposure: Exposure, at_stake: Mission
) -> None:
    assert mission(criticality, exposure) is at_stake
