"""Archives apart from a release's own: which of them speak for its hosts.

A channel that **extends** the release takes its packages further or adds some: what is fixed there
can be had. One that is **apart** has builds of its own, whose versions say nothing about those of
the release and of which most hosts have none. Where a package shows by its version or its name that
it is such a build, its channel is asked first.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from suture.core.inventory import AvailableVersion, Package


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


def channel(name: str) -> Channel:
    """What is known of the channel called ``name``."""
    return next((one for one in _KNOWN if name.startswith(one.prefix)), _OTHER)


def build(package: Package | AvailableVersion) -> str:
    """The mark of a build of some channel (``esm``, ``fips``); empty for the release's own."""
    found = _BUILD.search(f"{package.source} {package.source_version}")
    return found[found.lastindex or 0].lower() if found else ""
