"""Arch's order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.versions import Scheme, compare, is_valid
from tests.unit.core.versions.ordering import assert_ascending, assert_total

PACMAN = Scheme.PACMAN

any_version = st.from_regex(
    r"(0:|1:)?[019ab]{1,2}([._+]{0,2}[019ab]{1,2}){0,3}(-[019]{1,2})?", fullmatch=True
)


def test_each_is_older_than_those_that_follow() -> None:
    assert_ascending(
        ["1.0alpha-1", "1.0b-1", "1.0beta-1", "1.0rc1-1", "1.0", "1.0-1", "1.0-1.1", "1.0-2",
         "1.0.a-1", "1.0.b-1", "1.0.1-1", "1.0.10-1", "1.0..1-1", "1.1-1", "1.10-1", "2-1",
         "1:0.1-1"],
        PACMAN,
    )  # fmt: skip


@pytest.mark.parametrize("same", ["0:1.0-1", "1_0-1", "1.00-1", "1.0-01"])
def test_the_same_version_can_be_written_in_several_ways(same: str) -> None:
    assert compare("1.0-1", same, PACMAN) == 0


@pytest.mark.parametrize("text", ["", "1-", "-1", "1.-1", "1.", ":1", "1-2-3", "a b", "é1", "1\n"])
def test_what_is_not_a_version_is_refused(text: str) -> None:
    assert not is_valid(text, PACMAN)


@given(st.tuples(any_version, any_version, any_version))
def test_the_order_is_total_and_that_of_the_keys(versions: tuple[str, ...]) -> None:
    assert_total(versions, PACMAN)
