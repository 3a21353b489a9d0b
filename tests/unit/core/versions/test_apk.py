"""Alpine's order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.versions import Scheme, compare, is_valid
from tests.unit.core.versions.ordering import assert_ascending, assert_total

APK = Scheme.APK

any_version = st.builds(
    "{}{}{}{}{}{}".format,
    st.sampled_from(["0", "1", "10", "01"]),
    st.sampled_from(["", ".0", ".1", ".01", ".010", ".09", ".10", ".1.2"]),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["", "_alpha", "_rc1", "_rc2", "_p", "_p0", "_p1", "_git20240101_pre1"]),
    st.sampled_from(["", "~1a", "~1ab"]),
    st.sampled_from(["", "-r0", "-r1", "-r10"]),
)


def test_each_is_older_than_those_that_follow() -> None:
    assert_ascending(
        ["1.0_alpha_pre2", "1.0_alpha", "1.0_alpha1", "1.0_alpha2", "1.0_beta", "1.0_pre20191002",
         "1.0_pre20210530", "1.0_rc1", "1.0", "1.0-r0", "1.0-r1", "1.0-r10", "1.0~1234-r1",
         "1.0~2345-r0", "1.0_cvs", "1.0_svn", "1.0_git20240101", "1.0_hg", "1.0_p1", "1.0_p9",
         "1.0_p10-r0", "1.0a", "1.0b-r1", "1.0b-r2", "1.0.001", "1.0.0015", "1.0.002", "1.0.1",
         "1.0.9", "1.0.10", "1.1", "1.10", "2", "087-r1", "103"],
        APK,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "0.1bc", "0.1a1", "0.1_pre2~", "0.1_pre2~12xb", "0.1_foobar", "0.1-pre1.1", "0.1-r",
     "0.1-r2_pre1", "0.1-r2-r3", "0.1-r2.1", ".1", "a", "_pre1", "-r1", "0.1_", "0.1__alpha",
     "1\n"],
)  # fmt: skip
def test_what_is_not_a_version_is_refused(text: str) -> None:
    assert not is_valid(text, APK)


def test_zeros_in_front_count_in_a_fraction_alone() -> None:
    assert compare("006", "6", APK) == 0
    assert compare("1-r01", "1-r1", APK) == 0
    assert compare("1.006", "1.06", APK) == -1


@given(st.tuples(any_version, any_version, any_version))
def test_the_order_is_total_and_that_of_the_keys(versions: tuple[str, ...]) -> None:
    assert_total(versions, APK)
