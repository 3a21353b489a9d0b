"""RPM's order of ``[epoch:]version[-release]``, as ``rpmvercmp`` defines it since rpm 4.15.

A version is read in segments of letters or of digits; what separates them does not count. Digits
are newer than letters, ``~`` is older than the end, ``^`` newer than the end and older than any
segment.
"""

from __future__ import annotations

import re

_MAX_EPOCH = 2**32 - 1

_VERSION = re.compile(
    r"(?:(?P<epoch>[0-9]{1,10}):)?"
    r"(?P<version>[A-Za-z0-9._+%{}~^]+)(?:-(?P<release>[A-Za-z0-9._+%{}~^]+))?"
)
_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+|[~^]")

_NO_RELEASE, _TILDE, _END, _CARET, _LETTERS, _DIGITS = (bytes((n,)) for n in range(6))
_MARKS = {"~": _TILDE, "^": _CARET}
_COUNT = [_DIGITS + bytes((count,)) for count in range(256)]


def encode(version: str) -> bytes | None:
    """The key, None where it is not a version.

    Without a release it is older than with any, as rpm has it.
    """
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
    return b"".join(map(_segment, _SEGMENT.findall(part))) + _END


def _segment(segment: str) -> bytes:
    """Letters end at the mark of the next segment, which is below all letters."""
    if segment[0] in "0123456789":
        digits = segment.lstrip("0").encode()
        return _COUNT[len(digits)] + digits
    return _MARKS.get(segment) or _LETTERS + segment.encode()
