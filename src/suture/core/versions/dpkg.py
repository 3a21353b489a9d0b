"""Debian's order, as policy 5.6.12 and dpkg define it.

Epoch, then upstream version, then revision; the latter two in turns of text and number, where
``~`` sorts before the end, letters before all other characters, and numbers by value.
"""

from __future__ import annotations

import re

_MAX_EPOCH = 2**31 - 1

_VERSION = re.compile(
    r"(?:(?P<epoch>[0-9]{1,10}):(?P<with_epoch>[A-Za-z0-9.+~:-]+)|(?P<plain>[A-Za-z0-9.+~-]+))"
)
_NUMBER = re.compile(rb"[0-9]+")

_END = b"\x02"
# Letters stand for themselves; "~" is below the end, the rest is above all letters.
_WEIGHTS = bytes.maketrans(b"~+-.:", b"\x01\x80\x81\x82\x83")
_COUNT = [_END + bytes((count,)) for count in range(256)]


def encode(version: str) -> bytes | None:
    """The key of ``[epoch:]upstream[-revision]``, None where dpkg would refuse it."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    epoch = int(match["epoch"] or 0)
    upstream, dash, revision = (match["with_epoch"] or match["plain"]).rpartition("-")
    if not dash:
        upstream, revision = revision, "0"
    if not (upstream and revision) or epoch > _MAX_EPOCH:
        return None
    return epoch.to_bytes(4, "big") + _part(upstream) + _part(revision)


def _part(part: str) -> bytes:
    """Each turn is its text, ended, then its number as count of digits and digits."""
    encoded = _NUMBER.sub(_number, part.encode().translate(_WEIGHTS))
    return encoded + _END if part[-1].isdigit() else encoded + _COUNT[0] + _END


def _number(match: re.Match[bytes]) -> bytes:
    digits = match[0].lstrip(b"0")
    return _COUNT[len(digits)] + digits
