"""Which rules count does not depend on the order in which they are said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from suture.core.intelligence.advisories import Advisory, Rule
from suture.core.intelligence.advisory_index import AdvisoryIndex, Name
from suture.core.intelligence.subjects import Lane
from tests.unit.core.assessment.test_fleet_matching import advisories


def counting(said: list[Advisory]) -> dict[tuple[Name, Lane, str], set[Rule]]:
    index = AdvisoryIndex(said)
    return {
        (name, lane, cve): set(some)
        for name, lane, by_cve in index.lanes()
        for cve, some in by_cve.items()
    }


@given(
    st.lists(advisories, max_size=8).flatmap(lambda a: st.tuples(st.just(a), st.permutations(a)))
)
def test_the_order_of_advisories_does_not_matter(
    said: tuple[list[Advisory], list[Advisory]],
) -> None:
    assert counting(said[0]) == counting(said[1])


@given(st.lists(advisories, max_size=8))
def test_nothing_is_kept_of_channels_that_no_package_shows(said: list[Advisory]) -> None:
    index = AdvisoryIndex(said)
    assert {rule.channel for rule in index}.isdisjoint({"server-teradata"})
    assert {lane.build for _, lane, _ in index.lanes()} <= {"", "esm", "fips", "9.2"}
