"""Relation fields as they stand in real indexes, and as nobody should write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.relations import Relation, parse, provided


def test_clauses_and_alternatives() -> None:
    text = "perl:any, gpgv | gpgv2 (>= 2.1) , nginx-common (<< 1.22.1-9+deb12u11.1~)"
    assert parse(text) == (
        (Relation("perl", "any"),),
        (Relation("gpgv"), Relation("gpgv2", "", ">=", "2.1")),
        (Relation("nginx-common", "", "<<", "1.22.1-9+deb12u11.1~"),),
    )


def test_an_empty_field_asks_for_nothing() -> None:
    assert parse("") == parse(" , ") == ()


def test_what_cannot_be_read_never_holds() -> None:
    assert parse("$(reboot), a | b (!! 1)") == ((), (Relation("a"),))


def test_the_old_single_signs_include_the_version() -> None:
    assert parse("a (< 1), b(> 1)") == (
        (Relation("a", "", "<=", "1"),),
        (Relation("b", "", ">=", "1"),),
    )


@pytest.mark.parametrize(
    ("op", "allowed"),
    [
        ("<<", ["1"]),
        ("<=", ["1", "2"]),
        ("=", ["2"]),
        (">=", ["2", "3"]),
        (">>", ["3"]),
        ("", ["1", "2", "3"]),
    ],
)
def test_versions(op: str, allowed: list[str]) -> None:
    relation = Relation("a", "", op, "2" if op else "")
    assert [version for version in "123" if relation.allows(version)] == allowed


def test_a_version_that_is_none_is_not_allowed() -> None:
    assert not Relation("a", "", ">=", "1").allows("")
    assert not Relation("a", "", ">=", "1-").allows("2")


def test_what_is_provided() -> None:
    assert provided("httpd, libapt-pkg (= 2.6.2)") == (("httpd", ""), ("libapt-pkg", "2.6.2"))


@given(st.text("abc:(<=>)1.~|, []-", max_size=60))
def test_never_raises_and_reads_back_what_it_shows(text: str) -> None:
    for clause in parse(text):
        for relation in clause:
            assert parse(str(relation)) == ((relation,),)
