"""Red Hat: its VEX documents, one a CVE, about every package of every release and stream.

There are two sets of them. The newer speaks of each supported minor release and, for most fixes, of
source packages alone; the older, which is no longer developed, lists the binary packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from suture.core.intelligence.advisories import Advisory
from suture.feeds import csaf
from suture.feeds.csaf_files import documents, fetch_changes
from suture.feeds.feed import Feed, FeedError, FeedFile, Source
from suture.reading import text_of

_CPE = re.compile(
    r"cpe:/[ao]:redhat:(?P<product>enterprise_linux(?:_[a-z0-9]+)?|rhel_[a-z0-9_]+)"
    r":(?P<major>[0-9]{1,3})(?:\.(?P<minor>[0-9]{1,3}))?(?:::.*)?"
)
_ARCHIVE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.tar\.zst")
_PAGE = "https://access.redhat.com/security/cve/{cve}"


def place(name: str, cpe: str) -> csaf.Place | None:
    """Release and channel of a product: the streams with longer support (EUS, AUS, E4S, TUS, ELS)
    are channels of their own, told by minor release (``eus-9.2``)."""
    match = _CPE.fullmatch(cpe)
    if match is None:
        return None
    release = f"rhel:{match['major']}"
    stream = match["product"].removeprefix("enterprise_linux").removeprefix("rhel").strip("_")
    if not stream:
        return release, ""
    number = f"{match['major']}.{match['minor']}" if match["minor"] else match["major"]
    return release, f"{stream}-{number}"


def parse(file: FeedFile) -> Iterator[Advisory]:
    for name, data in documents(file):
        advisory = csaf.parse(data, publisher="redhat", placed=place, url=_PAGE, name=name)
        if advisory is not None:
            yield advisory


def _archive(source: Source) -> str:
    latest = source.get("archive_latest.txt", max_bytes=1000)
    name = text_of(latest.location, limit=1000).strip()
    if not _ARCHIVE.fullmatch(name):
        raise FeedError(f"archive_latest.txt names no archive: {name[:80]!a}")
    return name


FEEDS = (
    Feed(
        name="redhat-vex",
        publisher="redhat",
        title="Red Hat VEX documents",
        url="https://security.access.redhat.com/data/csaf/v2/vex-feed/",
        fetch=fetch_changes(_archive, deletions=True),
        parse=parse,
        systems=("rhel",),
    ),
    Feed(
        name="redhat-vex-legacy",
        publisher="redhat",
        title="Red Hat VEX documents, the older set with binary packages",
        url="https://security.access.redhat.com/data/csaf/v2/vex/",
        fetch=fetch_changes(_archive, deletions=True),
        parse=parse,
        systems=("rhel",),
        default=False,
    ),
)
