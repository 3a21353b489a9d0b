"""What every scheme's order must be: total, and the plain order of the keys."""

from __future__ import annotations

from itertools import combinations_with_replacement, product

from suture.core.versions import Scheme, compare, key


def assert_ascending(versions: list[str], scheme: Scheme) -> None:
    """Each of ``versions`` is older than all that follow."""
    numbered = list(enumerate(versions))
    for (i, older), (j, newer) in combinations_with_replacement(numbered, 2):
        expected = -1 if i < j else 0
        assert compare(older, newer, scheme) == expected, (older, newer)
        assert compare(newer, older, scheme) == -expected, (newer, older)


def assert_total(versions: tuple[str, ...], scheme: Scheme) -> None:
    """Comparing is antisymmetric and transitive, and is what the keys' own order says."""
    for a, b in product(versions, repeat=2):
        one, other = key(a, scheme), key(b, scheme)
        assert compare(a, b, scheme) == (one > other) - (one < other) == -compare(b, a, scheme)
        assert key(a, scheme)[-1] != 0
    for a, b, c in product(versions, repeat=3):
        if compare(a, b, scheme) <= 0 and compare(b, c, scheme) <= 0:
            assert compare(a, c, scheme) <= 0
