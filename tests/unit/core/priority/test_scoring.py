"""CVSS by itself and on a host."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.inventory import Criticality, Exposure
from suture.core.priority.scoring import (
    Environment,
    Requirement,
    base_score,
    checked,
    environment,
    on_host,
    version,
)
from tests.unit.core.builders import host

V2 = "AV:N/AC:M/Au:N/C:C/I:C/A:C"
V31 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:N/VI:L/VA:N/SC:N/SI:N/SA:N"
LOW = Environment(Requirement.LOW, Requirement.LOW, Requirement.LOW)
HIGH = Environment(Requirement.HIGH, Requirement.HIGH, Requirement.HIGH)


@pytest.mark.parametrize(
    ("vector", "kind", "score"),
    [
        (V2, "2.0", 9.3),
        (V31, "3.1", 9.8),
        (V31.replace("3.1", "3.0"), "3.0", 9.8),
        (V31 + "/E:P/RL:O/RC:C", "3.1", 9.8),
        (V4, "4.0", 5.3),
        (V4 + "/E:P", "4.0", 5.3),
    ],
)
def test_the_base_score_is_of_the_base_metrics(vector: str, kind: str, score: float) -> None:
    assert (version(vector), base_score(vector)) == (kind, score)


@pytest.mark.parametrize(
    "hostile", ["", "/", "CVSS:5.0/AV:N", "CVSS:3.1/", V31 + "/AV:N", V31 + "☃", V31 + "/X" * 999]
)
def test_what_is_no_vector_says_nothing(hostile: str) -> None:
    assert (version(hostile), base_score(hostile), on_host(hostile, LOW)) == ("", None, None)


@given(st.text(alphabet="CVSS:3.140/AVNLPRUISHX ", max_size=80) | st.text())
def test_any_text_is_read_or_is_none(text: str) -> None:
    assert base_score(text) is None or 0 <= (base_score(text) or 0) <= 10


def test_a_published_score_is_believed_where_the_vector_agrees() -> None:
    assert checked(V31, 9.8) == checked(V31, 9.3) == checked(V31, None) == 9.8
    assert checked("", 7.0) == 7.0
    assert checked(V31, 77.0) == 9.8
    assert checked("", None) is None


@pytest.mark.parametrize(
    ("where", "scores"),
    [
        (Environment(), (9.3, 9.8, 5.3)),
        (Environment(isolated=True), (9.3, 8.8, 5.1)),
        (LOW, (7.4, 8.0, 5.3)),
        (HIGH, (9.3, 9.8, 5.3)),
        (Environment(Requirement.LOW, Requirement.LOW), (8.5, 8.9, 5.3)),
    ],
)
def test_scores_on_a_host(where: Environment, scores: tuple[float, float, float]) -> None:
    assert tuple(on_host(vector, where) for vector in (V2, V31, V4)) == scores


values = {
    "AV": "NALP",
    "AC": "LH",
    "PR": "NLH",
    "UI": "NR",
    "S": "UC",
    "C": "HLN",
    "I": "HLN",
    "A": "HLN",
}
vectors = st.builds(
    lambda minor, metrics: "/".join(
        [f"CVSS:3.{minor}", *(f"{name}:{value}" for name, value in metrics.items())]
    ),
    st.sampled_from("01"),
    st.fixed_dictionaries({name: st.sampled_from(letters) for name, letters in values.items()}),
)


@given(vectors)
def test_more_at_stake_never_scores_lower(vector: str) -> None:
    for isolated in (True, False):
        scores = [on_host(vector, Environment(one, one, one, isolated)) for one in Requirement]
        assert all((one or 0) <= (other or 0) for one, other in itertools.pairwise(scores))
    assert (on_host(vector, Environment(isolated=True)) or 0) <= (base_score(vector) or 0)


def test_an_environment_is_read_from_criticality_exposure_and_labels() -> None:
    assert environment(host("web")) == Environment()
    assert environment(host("web", criticality=Criticality.CRITICAL)) == HIGH
    lab = host(
        "lab",
        criticality=Criticality.LOW,
        exposure=Exposure.ISOLATED,
        labels=("integrity-high", "availability-medium", "integrity-low"),
    )
    assert environment(lab) == Environment(
        Requirement.LOW, Requirement.HIGH, Requirement.MEDIUM, isolated=True
    )
