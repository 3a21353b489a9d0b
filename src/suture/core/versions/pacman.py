"""Arch's order of ``[epoch:]version[-release]``, as libalpm's ``vercmp`` defines it.

As rpm's of old, but the number of separators before a segment counts, and letters that follow a
number directly are older than the end (``1.0rc1`` is older than ``1.0``). What ends in a
separator is refused: libalpm's order of such is none.
"""

from __future__ import annotations

import re

_MAX_EPOCH = 2**32 - 1

_PART = r"[A-Za-z0-9._+~@]*[A-Za-z0-9]"
_VERSION = re.compile(
    rf"(?:(?P<epoch>[0-9]{{1,10}}):)?(?P<version>{_PART})(?:-(?P<release>{_PART}))?"
)
_SEGMENT = re.compile(r"([^A-Za-z0-9]*)([0-9]+|[A-Za-z]+)")

_NO_RELEASE, _LETTERS_FOLLOW, _END, _MORE = (bytes((n,)) for n in range(4))
_LETTERS, _DIGITS = b"\x01", b"\x02"


def encode(version: str) -> bytes | None:
    """The key, None where it is not a version. Without a release it is older than with any."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    epoch, upstream, release = match.groups()
    number = int(epoch or 0)
    if number > _MAX_EPOCH:
        return None
    tail = _part(release) if release is not None else _NO_RELEASE + _END
    return number.to_bytes(4, "big") + _part(upstream) + tail


def _part(part: str) -> bytes:
    encoded: list[bytes] = []
    for separators, segment in _SEGMENT.findall(part):
        more = _MORE + bytes((len(separators),))
        if segment[0] in "0123456789":
            digits = segment.lstrip("0").encode()
            encoded.append(more + _DIGITS + bytes((len(digits),)) + digits)
        elif encoded and not separators:
            encoded.append(_LETTERS_FOLLOW + segment.encode())
        else:
            encoded.append(more + _LETTERS + segment.encode())
    return b"".join(encoded) + _END
