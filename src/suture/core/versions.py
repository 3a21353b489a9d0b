"""The order of Debian versions, as dpkg defines it.

A version becomes a byte key whose plain order is dpkg's order, so that comparing two versions and
sorting a fleet's worth of them are the same thing. The rules are those of Debian policy 5.6.12:
epoch, then upstream version, then revision; the latter two in turns of text and number, where
``~`` sorts before the end, letters before all other characters, and numbers by value.
"""

from __future__ import annotations

import re
from functools import lru_cache

MAX_LENGTH = 255  # bounds the digits of a number, whose count takes one byte in the key
_MAX_EPOCH = 2**31 - 1

_VERSION = re.compile(
    r"(?:(?P<epoch>[0-9]{1,10}):(?P<with_epoch>[A-Za-z0-9.+~:-]+)|(?P<plain>[A-Za-z0-9.+~-]+))"
)
_TURN = re.compile(r"([^0-9]*)([0-9]*)")

_TILDE, _END, _LETTERS, _OTHERS = 0x01, 0x02, 0x10, 0x80


def is_valid(version: str) -> bool:
    """Whether dpkg would take it for a version: ``[epoch:]upstream[-revision]``."""
    return _parts(version) is not None


def compare(a: str, b: str) -> int:
    """-1, 0 or 1 as ``a`` is older than, the same as or newer than ``b``.

    Versions that are written differently may be the same (``1.0`` and ``0:1.00-0``).
    Raises ``ValueError`` where one of them is not a version.
    """
    one, other = key(a), key(b)
    return (one > other) - (one < other)


@lru_cache(maxsize=65_536)
def key(version: str) -> bytes:
    """Bytes that sort as dpkg sorts versions: ``key(a) < key(b)`` when ``a`` is older.

    Raises ``ValueError`` where it is not a version.
    """
    parts = _parts(version)
    if parts is None:
        raise ValueError(f"not a version: {version[:80]!a}")
    epoch, upstream, revision = parts
    return epoch.to_bytes(4, "big") + _part_key(upstream) + _part_key(revision)


def _parts(version: str) -> tuple[int, str, str] | None:
    """(epoch, upstream, revision), None where it is not a version."""
    match = _VERSION.fullmatch(version) if len(version) <= MAX_LENGTH else None
    if match is None:
        return None
    epoch = int(match["epoch"] or 0)
    upstream, dash, revision = (match["with_epoch"] or match["plain"]).rpartition("-")
    if not dash:
        upstream, revision = revision, "0"
    if not (upstream and revision) or epoch > _MAX_EPOCH:
        return None
    return epoch, upstream, revision


def _part_key(part: str) -> bytes:
    """Each turn is its text, ended, then its number as count of digits and digits."""
    encoded = bytearray()
    for text, digits in _TURN.findall(part)[:-1]:
        encoded += bytes(_weight(character) for character in text)
        number = digits.lstrip("0")
        encoded += bytes((_END, len(number))) + number.encode()
    encoded.append(_END)
    return bytes(encoded)


def _weight(character: str) -> int:
    if character == "~":
        return _TILDE
    if character.isalpha():
        return _LETTERS + ord(character) - ord("A")
    return _OTHERS + ord(character) - ord("+")
