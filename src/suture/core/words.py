"""The words in which a person writes a policy: durations, shares, names, patterns.

Durations, sizes and shares stay as they were written (``10m``, ``2GiB``, ``25%``);
:func:`seconds`, :func:`size_bytes` and :func:`share_of` read them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from msgspec import Meta

Duration = Annotated[
    str, Meta(pattern=r"^[0-9]{1,6}[smhd]\Z", description="a duration such as 30s, 10m, 2h or 1d")
]
Span = Annotated[
    str,
    Meta(
        pattern=r"^(?=0*[1-9])[0-9]{1,6}[smhd]\Z",
        description="a duration of at least 1s, such as 30s, 10m, 2h or 1d",
    ),
]
Size = Annotated[
    str, Meta(pattern=r"^[0-9]{1,6}[KMGT]iB\Z", description="a size such as 512MiB or 2GiB")
]
Count = Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number of at least 1")]
Tally = Annotated[int, Meta(ge=0, le=1_000_000, description="a whole number of at least 0")]
Percent = Annotated[str, Meta(pattern=r"^([1-9][0-9]?|100)%\Z", description="a percentage")]
Share = Annotated[Count | Percent, Meta(description='a count of hosts, or a share such as "25%"')]
Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z",
        description="a name (letters, digits, `.`, `_`, `-`; at most 64)",
    ),
]
Pattern = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x20\x7f]{1,255}\Z",
        description="a host, label or service name, or a pattern such as web-*",
    ),
]
Text = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,4096}\Z", description="one line of text")]
AbsolutePath = Annotated[
    str, Meta(pattern=r"^/[^\x00-\x1f\x7f]{0,4095}\Z", description="a path that begins with /")
]
FileMode = Annotated[
    str, Meta(pattern=r"^0?[0-7]{3,4}\Z", description='an octal mode in quotes, such as "0640"')
]
FileOwner = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z",
        description="an owner as user:group",
    ),
]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="64 hexadecimal digits")]
HttpStatus = Annotated[int, Meta(ge=100, le=599, description="an HTTP status, 100 to 599")]

_SIZES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@lru_cache(maxsize=1024)
def seconds(duration: str) -> float:
    """``10m`` → 600.0"""
    return float(int(duration[:-1]) * _UNITS[duration[-1]])


def size_bytes(size: str) -> int:
    """``2GiB`` → 2147483648"""
    return int(size[:-3]) * _SIZES[size[-3]]


def share_of(share: int | str, total: int) -> int:
    """How many of ``total`` a share is: rounded down, and at least one."""
    if isinstance(share, int):
        return share
    return max(1, total * int(share.removesuffix("%")) // 100)
