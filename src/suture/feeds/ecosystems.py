"""OSV's names for distributions, as the release ids that hosts give.

A release is ``ID:VERSION_ID`` of ``/etc/os-release``. OSV's ecosystems carry more than that: a
subscription, a support stream or a product on top of the release, whose archive has the fix. That
becomes the channel, empty for the release's own archive.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs

Place = tuple[str, str]  # release, channel

_DEBIAN = re.compile(r"[0-9][0-9.]*")
_UBUNTU = re.compile(
    r"(?:(?P<pro>Pro):)?(?:(?P<channel>[A-Za-z-]+):)?(?P<version>[0-9][0-9]\.[0-9][0-9])(?P<rest>:.*)?"
)
_ALPINE = re.compile(r"v?([0-9]+\.[0-9]+)(?:\.[0-9]+)?|edge")
_MAJOR = re.compile(r"([0-9]+)(?:\.[0-9]+)*")
_RED_HAT = re.compile(r"(?P<product>[a-z0-9_-]+):(?P<version>[0-9.]+)(?:::(?P<part>[a-z0-9_-]*))?")
_SUSE = re.compile(
    r"(?P<product>[A-Za-z][A-Za-z ]*?) (?P<major>[0-9]{1,2})"
    r"(?:\.(?P<minor>[0-9]{1,2})| SP(?P<sp>[0-9]))?(?:[- ](?P<tail>[A-Za-z0-9 -]+))?"
)
_SUSE_IDS = {
    "Linux Enterprise Server": "sles",
    "Linux Enterprise Desktop": "sled",
    "Linux Enterprise High Performance Computing": "sle_hpc",
    "Linux Enterprise Micro": "sle-micro",
    "Linux Micro": "sl-micro",
    "Leap": "opensuse-leap",
    "Leap Micro": "opensuse-leap-micro",
}
_SUSE_PREFIXES = ("Linux Enterprise Server for ", "Linux Enterprise ")


def place(ecosystem: str, purl: str = "") -> Place | None:
    """Release and channel of an OSV ecosystem, None where it is no distribution known here.

    ``purl`` is the package URL beside it, whose ``distro`` may name the archive.
    """
    name, _, version = ecosystem.partition(":")
    reader = _READERS.get(name)
    return reader(version, _distro(purl)) if reader and len(ecosystem) <= 200 else None


def _distro(purl: str) -> str:
    return (parse_qs(purl.partition("?")[2][:500]).get("distro") or [""])[0]


def _debian(version: str, distro: str) -> Place | None:
    # Before Debian 10 OSV wrote 6.0 for what os-release calls 6.
    return (f"debian:{version.removesuffix('.0')}", "") if _DEBIAN.fullmatch(version) else None


def _ubuntu(version: str, distro: str) -> Place | None:
    match = _UBUNTU.fullmatch(version)
    if match is None:
        return None
    archive = distro.partition("/")[0] if "/" in distro else ""
    flavour = (match["rest"] or "").removeprefix(":LTS").removeprefix(":for:").replace(":", "-")
    channel = archive or match["channel"] or flavour or ("pro" if match["pro"] else "")
    return f"ubuntu:{match['version']}", channel.lower().strip("-")


def _alpine(version: str, distro: str) -> Place | None:
    match = _ALPINE.fullmatch(version)
    return (f"alpine:{match[1] or 'edge'}", "") if match else None


def _by_major(id_: str) -> Callable[[str, str], Place | None]:
    def read(version: str, distro: str) -> Place | None:
        match = _MAJOR.fullmatch(version)
        sig = re.search(r"-(sig-[a-z0-9-]+)$", distro)  # an archive of Rocky's interest groups
        return (f"{id_}:{match[1]}", sig[1] if sig else "") if match else None

    return read


def _red_hat(version: str, distro: str) -> Place | None:
    """``enterprise_linux:9::appstream``, ``rhel_eus:9.2::baseos``, ``ocp_tools:4.15::el9``."""
    match = _RED_HAT.fullmatch(version)
    if match is None:
        return None
    product, number, part = match["product"], match["version"], match["part"] or ""
    if product == "enterprise_linux":
        return f"rhel:{number.partition('.')[0]}", ""
    if product.startswith("rhel_"):
        return f"rhel:{number.partition('.')[0]}", f"{product.removeprefix('rhel_')}-{number}"
    on = re.fullmatch(r"el([0-9]+)", part)
    return (f"rhel:{on[1]}", f"{product}-{number}") if on else None


def _suse(version: str, distro: str) -> Place | None:
    """``Linux Enterprise Server 15 SP5-LTSS``, ``Package Hub 12``, ``Leap 15.5``."""
    if version == "Tumbleweed":
        return "opensuse-tumbleweed:", ""
    match = _SUSE.fullmatch(version)
    if match is None:
        return None
    product, minor = match["product"], match["minor"] or match["sp"]
    number = f"{match['major']}.{minor}" if minor else match["major"]
    channel = (match["tail"] or "").lower().replace(" ", "-")
    if product in _SUSE_IDS:
        return f"{_SUSE_IDS[product]}:{number}", channel
    if product.startswith("Linux Enterprise Module for "):
        return f"sles:{number}", channel
    for prefix in _SUSE_PREFIXES:
        product = product.removeprefix(prefix)
    parts = (product.lower().replace(" ", "-"), channel)
    return f"sles:{number}", "-".join(part for part in parts if part)


_READERS: dict[str, Callable[[str, str], Place | None]] = {
    "Debian": _debian,
    "Ubuntu": _ubuntu,
    "Alpine": _alpine,
    "AlmaLinux": _by_major("almalinux"),
    "Rocky Linux": _by_major("rocky"),
    "Red Hat": _red_hat,
    "SUSE": _suse,
    "openSUSE": _suse,
}
