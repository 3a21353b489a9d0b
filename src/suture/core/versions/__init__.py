"""The order of versions, as each package manager defines it.

A version becomes a byte key whose plain order is the package manager's order, so that comparing
two versions and sorting a fleet's worth of them are the same thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache

from suture.core.versions import apk, dpkg, pacman, rpm

MAX_LENGTH = 255  # bounds the digits of a number, whose count takes one byte in a key


class Scheme(StrEnum):
    """A package manager's way to write and to order versions."""

    DPKG = "dpkg"
    RPM = "rpm"
    APK = "apk"
    PACMAN = "pacman"


_ENCODE: Mapping[Scheme, Callable[[str], bytes | None]] = {
    Scheme.DPKG: dpkg.encode,
    Scheme.RPM: rpm.encode,
    Scheme.APK: apk.encode,
    Scheme.PACMAN: pacman.encode,
}

# By the ``ID`` of os-release.
_IDS: Mapping[Scheme, str] = {
    Scheme.RPM: (
        "almalinux amzn anolis azurelinux centos circle cloudlinux eurolinux fedora mageia mariner "
        "miraclelinux ol opencloudos openeuler opensuse opensuse-leap opensuse-microos "
        "opensuse-tumbleweed oracle photon redhat rhel rocky scientific sl-micro sled sles suse "
        "tencentos virtuozzo"
    ),
    Scheme.APK: "alpine chainguard postmarketos wolfi",
    Scheme.PACMAN: "arch archarm cachyos endeavouros garuda manjaro steamos",
}
_SCHEMES = {one: scheme for scheme, ids in _IDS.items() for one in ids.split()}


def scheme_of(release: str) -> Scheme:
    """The scheme of a release (``almalinux:9``): dpkg's for Debian, Ubuntu and all others, for
    the distributions that derive from them are many and name themselves."""
    return _SCHEMES.get(release.partition(":")[0], Scheme.DPKG)


def is_valid(version: str, scheme: Scheme = Scheme.DPKG) -> bool:
    """Whether the package manager would take it for a version."""
    return _key(version, scheme) is not None


def compare(a: str, b: str, scheme: Scheme = Scheme.DPKG) -> int:
    """-1, 0 or 1 as ``a`` is older than, the same as or newer than ``b``.

    Versions that are written differently may be the same (dpkg: ``1.0`` and ``0:1.00-0``).
    Raises ``ValueError`` where one of them is not a version.
    """
    one, other = key(a, scheme), key(b, scheme)
    return (one > other) - (one < other)


def key(version: str, scheme: Scheme = Scheme.DPKG) -> bytes:
    """Bytes that sort as the package manager sorts versions: ``key(a) < key(b)`` when ``a`` is
    older. The last byte is never 0.

    Raises ``ValueError`` where it is not a version.
    """
    encoded = _key(version, scheme)
    if encoded is None:
        raise ValueError(f"not a version: {version[:80]!a}")
    return encoded


def order(version: str, scheme: Scheme = Scheme.DPKG) -> bytes:
    """The key, and for what is not a version one that is older than any."""
    return _key(version, scheme) or b""


@lru_cache(maxsize=262_144)
def _key(version: str, scheme: Scheme) -> bytes | None:
    return _ENCODE[scheme](version) if len(version) <= MAX_LENGTH else None
