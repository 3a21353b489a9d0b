"""RPM's order, held against rpm's own comparison written out, and against rpm itself."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.versions import Scheme, compare, is_valid
from tests.unit.core.versions.ordering import assert_ascending, assert_total

RPM = Scheme.RPM

REAL = [
    "1:1.26.0-14.el8_3", "1.0.6-2.el8_4", "4.18.0-553.16.1.el8_10", "2.34-100.el9_4.2.alma.1",
    "1:18.20.4-1.module_el8.10.0+3893+ecd8c3a8", "3.0.7-27.el9.0.2", "8.0.1763-19.el8_6.4",
    "32:9.11.36-14.el8_10", "1.3.1-20.20230111git.el9", "5.14.0-427.13.1.el9_4",
    "1.0~rc1-1.fc40", "1.0^20240101git1a2b3c-1.fc40", "0.9.8h-3",
]  # fmt: skip

text = st.text("019aZb.~^+_", min_size=1, max_size=8)
any_version = st.builds(
    lambda epoch, version, release: f"{epoch}{version}{release}",
    st.sampled_from(["", "0:", "3:"]),
    text,
    st.one_of(st.just(""), text.map("-{}".format)),
)


def test_each_is_older_than_those_that_follow() -> None:
    assert_ascending(
        ["1~~-1", "1~-1", "1~a-1", "1~1-1", "1", "1-~", "1-1~rc1", "1-1", "1-1^git1", "1-1.el9",
         "1-1.1", "1-1.2", "1-1.10", "1^-1", "1^a-1", "1^1-1", "1a-1", "1b-1", "1.1-1", "1.1a-1",
         "1.10-1", "2-1", "1:0.1-1"],
        RPM,
    )  # fmt: skip


@pytest.mark.parametrize("same", ["0:1.0-1", "1_0-1", "1.00-1", "1..0-1", "1.0.-1", "00:1.0-01"])
def test_the_same_version_can_be_written_in_several_ways(same: str) -> None:
    assert compare("1.0-1", same, RPM) == 0


@pytest.mark.parametrize(
    "text", ["", "-", "1-", "-1", ":1", "a:1-1", "1-2-3", "1 0", "1\n", "é1", "1/2", "4294967296:1"]
)
def test_what_is_not_a_version_is_refused(text: str) -> None:
    assert not is_valid(text, RPM)


@given(st.tuples(any_version, any_version, any_version))
def test_the_order_is_total_and_that_of_the_keys(versions: tuple[str, ...]) -> None:
    assert_total(versions, RPM)


@given(text, text)
def test_versions_compare_segment_by_segment(a: str, b: str) -> None:
    assert compare(a, b, RPM) == _segments(a, b)


@pytest.mark.skipif(not shutil.which("rpm"), reason="needs rpm")
def test_rpm_agrees_on_a_thousand_pairs() -> None:
    pairs = _pairs(1000)
    calls = "\n".join(f"print(rpm.vercmp('{a}', '{b}') .. ' ')" for a, b in pairs)
    said = subprocess.run(
        ["rpm", "--eval", f"%{{lua:{calls}}}"], capture_output=True, text=True, check=True
    )
    answers = [int(answer) for answer in said.stdout.split()]
    assert [compare(a, b, RPM) for a, b in pairs] == answers


def _pairs(count: int) -> list[tuple[str, str]]:
    chance = random.Random(9)

    def one() -> str:
        version = list(chance.choice(REAL))
        for _ in range(chance.randint(0, 2)):
            version[chance.randrange(len(version))] = chance.choice("019az.~^_")
        return "".join(version)

    pairs: list[tuple[str, str]] = []
    while len(pairs) < count:
        a = one()
        b = a[:-1] + chance.choice("019az.~^_") if chance.random() < 0.5 else one()
        if all(is_valid(version, RPM) and "-" in version for version in (a, b)):
            pairs.append((a, b))
    return pairs


def _segments(a: str, b: str) -> int:
    """What rpm's manual says of version comparison, step by step, as a second opinion."""
    while True:
        a, b = (text.lstrip("._+") for text in (a, b))
        for mark, without in (("~", 1), ("^", -1)):
            if a[:1] == mark or b[:1] == mark:
                if a[:1] != b[:1]:
                    if mark == "^" and a and b:
                        return -1 if a[:1] == mark else 1
                    return -without if a[:1] == mark else without
                a, b = a[1:], b[1:]
                break
        else:
            if not a or not b:
                return bool(a) - bool(b)
            kind = "0123456789" if a[0].isdigit() else "abZ"
            one, other = (text[: len(text) - len(text.lstrip(kind))] for text in (a, b))
            if not other:
                return 1 if a[0].isdigit() else -1
            a, b = a[len(one) :], b[len(other) :]
            if kind[0] == "0":
                first, second = int(one), int(other)
                if first != second:
                    return 1 if first > second else -1
            elif one != other:
                return 1 if one > other else -1
