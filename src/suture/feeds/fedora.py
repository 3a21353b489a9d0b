"""Fedora and EPEL: the ``updateinfo`` of their update repositories, a feed for each release.

EPEL is an archive apart for the hosts of other distributions. Its advisories are given for each
of the releases that use it, with the channel ``epel``.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from suture.core.intelligence.advisories import Advisory
from suture.feeds.feed import Feed, FeedFile
from suture.feeds.updateinfo import fetch_repositories, parser

_FEDORA = ("43", "44", "45")
_EPEL = ("8", "9", "10")
_ARCHS = ("x86_64", "aarch64")
_EPEL_HOSTS = ("rhel", "almalinux", "rocky", "ol", "centos")


def _fedora(version: str) -> Feed:
    roots = [f"fedora/linux/updates/{version}/Everything/{arch}/" for arch in _ARCHS]
    return Feed(
        name=f"fedora-{version}",
        publisher="fedora",
        title=f"Fedora {version} updates",
        url="https://dl.fedoraproject.org/pub/",
        fetch=fetch_repositories(*roots),
        parse=parser("fedora", f"fedora:{version}"),
        systems=("fedora",),
    )


def _epel(version: str) -> Feed:
    read = parser("fedora", version, channel="epel")

    def parse(file: FeedFile) -> Iterator[Advisory]:
        for advisory in read(file):
            affected = tuple(
                replace(one, release=f"{id_}:{version}")
                for id_ in _EPEL_HOSTS
                for one in advisory.affected
            )
            yield replace(advisory, affected=affected)

    roots = [f"epel/{version}/Everything/{arch}/" for arch in _ARCHS]
    return Feed(
        name=f"epel-{version}",
        publisher="fedora",
        title=f"Extra Packages for Enterprise Linux {version}",
        url="https://dl.fedoraproject.org/pub/",
        fetch=fetch_repositories(*roots),
        parse=parse,
        systems=_EPEL_HOSTS,
    )


FEEDS = (*map(_fedora, _FEDORA), *map(_epel, _EPEL))
