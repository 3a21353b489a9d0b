"""The order of versions, held against dpkg itself."""

from __future__ import annotations

import random
import shutil
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.versions import MAX_LENGTH, compare, is_valid, key

# In dpkg's order, each older than the next.
ASCENDING = [
    "0~~", "0~~a", "0~", "0", "0a", "0+", "1.0~rc1-1", "1.0-0.1", "1.0-1~bpo12+1",
    "1.0-1", "1.0-1+b1", "1.0-1+deb12u1", "1.0-1+deb12u2", "1.0-1+deb12u10", "1.0-1.1",
    "1.0+dfsg-1", "1.0.1-1", "1.9", "1.10", "1.10a", "1.10b", "2-1", "20231001", "1:0.1", "2:0",
]  # fmt: skip

REAL = [
    "1.22.1-9", "1.22.1-9+deb12u3", "3.0.11-1~deb12u2", "3.0.17-1~deb12u3", "5.36.0-7+deb12u1",
    "1:9.2p1-2+deb12u7", "2:9.0.1378-2", "252.39-1~deb12u1", "6.1.0-42.1", "7.88.1-10+deb12u14",
    "1.1.1w-0+deb11u4", "2.36-9+deb12u13", "5.2.15-2+b8", "0.4.17-1~exp2", "1.0.0~git20230713-2",
    "1:2.39.5-0+deb12u2", "2.4.66-1~deb12u1", "3.11.2-6+deb12u6", "20230311+deb12u1",
    "1-1ubuntu0.1",
]  # fmt: skip

text = st.text("019azAZ.+~-", min_size=1, max_size=12)
any_version = st.builds(
    lambda epoch, rest: f"{epoch}{rest}", st.sampled_from(["", "0:", "1:", "12:"]), text
).filter(is_valid)


@pytest.mark.parametrize(("older", "newer"), list(pairwise(ASCENDING)))
def test_each_is_older_than_the_next(older: str, newer: str) -> None:
    assert compare(older, newer) == -1
    assert compare(newer, older) == 1
    assert key(older) < key(newer)


@pytest.mark.parametrize("same", ["0:1.0", "1.00", "1.0-0", "00:1.0-00", "1.", "1.-0"])
def test_the_same_version_can_be_written_in_several_ways(same: str) -> None:
    assert compare("1.0", same) == 0


@pytest.mark.parametrize(
    "text",
    ["", ":", "1:", "1-", "-1", "1:-3", "a:1", "1-2:3:4", "1 2", "1\n", "1_2", "é1",
     "99999999999:1", "2147483648:1", "1" * (MAX_LENGTH + 1)],
)  # fmt: skip
def test_what_is_not_a_version_is_refused(text: str) -> None:
    assert not is_valid(text)
    with pytest.raises(ValueError, match="not a version"):
        compare(text, "1")


def test_numbers_of_any_length_compare_by_value() -> None:
    assert compare("9" * 254, "1" + "0" * 254) == -1


@given(any_version, any_version, any_version)
def test_the_order_is_total(a: str, b: str, c: str) -> None:
    assert compare(a, b) == -compare(b, a)
    assert compare(a, a) == 0
    if compare(a, b) <= 0 and compare(b, c) <= 0:
        assert compare(a, c) <= 0


@given(any_version, any_version)
def test_keys_sort_as_versions_compare(a: str, b: str) -> None:
    assert compare(a, b) == (key(a) > key(b)) - (key(a) < key(b)) == _by_policy(a, b)


@pytest.mark.skipif(not shutil.which("dpkg"), reason="needs dpkg")
def test_dpkg_agrees_on_two_thousand_pairs() -> None:
    """Also that it refuses the same texts."""
    pairs = _pairs(2000)
    lines = [
        f"dpkg --compare-versions '{a}' lt '{b}'; l=$?; "
        f"dpkg --compare-versions '{a}' gt '{b}'; echo $l $?"
        for a, b in pairs
    ]
    shell = subprocess.run(
        ["sh"], input="\n".join(lines), capture_output=True, text=True, check=True
    )
    answers = [answer.split() for answer in shell.stdout.splitlines()]
    for (a, b), answer in zip(pairs, answers, strict=True):
        if is_valid(a) and is_valid(b):
            expected = ["0", "1"] if compare(a, b) < 0 else ["1", "0" if compare(a, b) > 0 else "1"]
        else:
            expected = ["2", "2"]
        assert answer == expected, (a, b)


def _pairs(count: int) -> list[tuple[str, str]]:
    """Real versions, mutated ones, and texts of the same alphabet, valid or not."""
    chance = random.Random(12)
    real = REAL + ASCENDING

    def one() -> str:
        if chance.random() < 0.2:
            length = chance.randint(1, 8)
            return "1" + "".join(chance.choice("019az.+~-:") for _ in range(length))
        version = list(chance.choice(real))
        for _ in range(chance.randint(0, 2)):
            version[chance.randrange(1, len(version) + 1) - 1] = chance.choice("0199az.+~")
        return "".join(version)

    pairs: list[tuple[str, str]] = []
    while len(pairs) < count:
        a = one()
        b = a[:-1] + chance.choice("0129a~.+") if chance.random() < 0.5 else one()
        if not a.startswith("-") and not b.startswith("-"):
            pairs.append((a, b))
    return pairs


def _by_policy(a: str, b: str) -> int:
    """Debian policy 5.6.12 word for word, as a second opinion."""
    (epoch_a, a), (epoch_b, b) = (_split_epoch(version) for version in (a, b))
    upstream_a, revision_a = _split_revision(a)
    upstream_b, revision_b = _split_revision(b)
    orders = (
        (epoch_a > epoch_b) - (epoch_a < epoch_b),
        _part(upstream_a, upstream_b),
        _part(revision_a, revision_b),
    )
    return next((order for order in orders if order), 0)


def _split_epoch(version: str) -> tuple[int, str]:
    epoch, colon, rest = version.partition(":")
    return (int(epoch), rest) if colon else (0, version)


def _split_revision(version: str) -> tuple[str, str]:
    upstream, dash, revision = version.rpartition("-")
    return (upstream, revision) if dash else (version, "0")


def _part(a: str, b: str) -> int:
    while a or b:
        while (a and not a[0].isdigit()) or (b and not b[0].isdigit()):
            one, other = _order(a[:1]), _order(b[:1])
            if one != other:
                return 1 if one > other else -1
            a, b = a[1:], b[1:]
        digits_a = a[: len(a) - len(a.lstrip("0123456789"))]
        digits_b = b[: len(b) - len(b.lstrip("0123456789"))]
        a, b = a[len(digits_a) :], b[len(digits_b) :]
        one, other = int(digits_a or 0), int(digits_b or 0)
        if one != other:
            return 1 if one > other else -1
    return 0


def _order(character: str) -> int:
    if character == "~":
        return -1
    if not character or character.isdigit():
        return 0
    return ord(character) if character.isalpha() else ord(character) + 256
