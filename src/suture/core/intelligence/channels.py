"""Archives apart from a release's own: which of them speak for its hosts.

A channel that **extends** the release takes its packages further or adds some: what is fixed there
can be had. One that is **apart** has builds of its own, whose versions say nothing about those of
the release and of which most hosts have none. Where a package shows by its version or its name that
it is such a build, its channel is asked first.

A **stream** stays on one minor release of Red Hat's (EUS, E4S, AUS, TUS): which a host does, its
enabled repositories tell. All streams of a minor release share their builds, and what any of them
fixed is asked first there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from suture.core.inventory import AvailableVersion, OperatingSystem, Origin, Package


class Channel(NamedTuple):
    """``prefix`` is how its names begin. ``build`` is the mark of its packages, see
    :func:`build`; empty where they have none."""

    prefix: str
    extends: bool
    build: str
    why: str


_KNOWN = (
    Channel("esm", True, "esm", "Ubuntu Pro takes the release's own packages further"),
    Channel("pro", True, "esm", "Ubuntu Pro, the archive not named"),
    Channel("els", True, "", "Red Hat's longer support of the last minor release"),
    Channel("ltss", True, "", "SUSE's longer support of the same packages"),
    Channel("lts", True, "", "longer support of the same packages"),
    Channel("epel", True, "", "packages that the release does not have"),
    Channel("testing", True, "", "Arch's own packages before all get them"),
    Channel("fips", False, "fips", "builds as they were certified, patched by themselves"),
    Channel("realtime", False, "realtime", "kernels with the real-time patches"),
    Channel("bluefield", False, "bluefield", "kernels for one vendor's cards"),
    Channel("nvidia-bluefield", False, "bluefield", "kernels for one vendor's cards"),
    Channel("ksplice", False, "ksplice", "builds that can be patched in memory"),
    Channel("sig-cloud", False, "cloud", "Rocky's kernels for clouds"),
    Channel("sig-", False, "", "builds of Rocky's interest groups"),
    Channel("eus", False, "", "an older minor release, and versions like those it had itself"),
    Channel("aus", False, "", "an older minor release, and versions like those it had itself"),
    Channel("e4s", False, "", "an older minor release, and versions like those it had itself"),
    Channel("tus", False, "", "an older minor release, and versions like those it had itself"),
    Channel("server-teradata", False, "", "builds for one vendor's appliances"),
)
_OTHER = Channel("", True, "", "not known here: its fix is named rather than lost")

_BUILD = re.compile(
    r"[+~.](esm|ksplice)[0-9]|[+~._](fips)(?![a-z])|\.(cloud)(?![a-z])"
    r"|^linux-(?:[a-z0-9-]+-)?(fips|realtime|bluefield)\b",
    re.IGNORECASE,
)

_MINOR = re.compile(r"(?:eus|e4s|aus|tus)[a-z_]*-([0-9]{1,3}\.[0-9]{1,3})")
_NUMBER = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}")
_SYSTEM = "rhel"
_STREAM = re.compile(r"rhel-.*-(?:eus|e4s|aus|tus)(?:-|$)")
_MAIN = re.compile(r"rhel-.*(?:-baseos|-appstream|-server)-(?:rhui-)?rpms")
_BUILT_FOR = re.compile(r"\.(?:el|module\+el)([0-9]{1,3})[._]([0-9]{1,3})")


def channel(name: str) -> Channel:
    """What is known of the channel called ``name``."""
    return next((one for one in _KNOWN if name.startswith(one.prefix)), _OTHER)


def build(package: Package | AvailableVersion) -> str:
    """The mark of a build of some channel (``esm``, ``fips``); empty for the release's own."""
    found = _BUILD.search(f"{package.source} {package.source_version}")
    return found[found.lastindex or 0].lower() if found else ""


def minor(name: str) -> str:
    """The minor release (``9.2``) of a channel that is a stream, empty for others."""
    found = _MINOR.fullmatch(name)
    return found[1] if found else ""


def may_stay(release: str) -> bool:
    """Whether hosts of ``release`` may stay on a minor release of it."""
    return release.partition(":")[0] == _SYSTEM


def stream(system: OperatingSystem, archives: Iterable[Origin]) -> str:
    """The minor release on which the host stays, empty where it moves on with the release.

    With a repository of the release itself enabled it may have any of its packages, and counts
    as one that moves on.
    """
    if not may_stay(system.release):
        return ""
    repositories = {one.archive for one in archives}
    stays = any(_STREAM.search(one) for one in repositories)
    moves = any(_MAIN.search(one) for one in repositories)
    return system.version if stays and not moves and _NUMBER.fullmatch(system.version) else ""


def is_of(package: Package, stream: str) -> bool:
    """Whether a package on a host of ``stream`` can be one of its builds: it was not built for a
    later minor release."""
    if not stream:
        return False
    built = _BUILT_FOR.search(package.version)
    return built is None or int(built[2]) <= int(stream.partition(".")[2])
