"""SUSE and openSUSE: VEX documents, one a CVE, and advisories in the OSV format."""

from __future__ import annotations

from collections.abc import Iterator

from suture.core.intelligence.advisories import Advisory
from suture.feeds import csaf, ecosystems, osv
from suture.feeds.csaf_files import documents, fetch_changes
from suture.feeds.feed import Feed, FeedFile, fixed_files
from suture.reading import members

_SYSTEMS = (
    "sles",
    "sled",
    "sle_hpc",
    "sle-micro",
    "sl-micro",
    "opensuse-leap",
    "opensuse-leap-micro",
    "opensuse-tumbleweed",
)
_FOLDER = "csaf-vex/"
_ARCHIVE = "csaf-vex.tar.bz2"
_OSV = "osv.tar.bz2"
_OSV_INDEX = "all.json"
_PAGE = "https://www.suse.com/security/cve/{cve}.html"
_MICRO = "cpe:/o:suse:sl-micro:"
_RELEASES = (
    "SUSE Linux Enterprise ",
    "SUSE Linux Micro ",
    "SUSE Package Hub ",
    "openSUSE Leap ",
    "openSUSE Tumbleweed",
)


def place(name: str, cpe: str) -> csaf.Place | None:
    """Release and channel of a product, by its name, which OSV's ecosystems use as well."""
    if not name.startswith(_RELEASES):
        return None
    if cpe.startswith(_MICRO):
        name = name.replace(" Enterprise", "", 1)  # it lost that part of its name with 6.0
    vendor, _, product = name.partition(" ")
    return ecosystems.place(f"{vendor}:{product}")


def parse_vex(file: FeedFile) -> Iterator[Advisory]:
    for name, data in documents(file):
        advisory = csaf.parse(data, publisher="suse", placed=place, url=_PAGE, name=name)
        if advisory is not None:
            yield advisory


def parse_osv(file: FeedFile) -> Iterator[Advisory]:
    for name, data in members(file.location, suffix=".json"):
        if name.rpartition("/")[2] == _OSV_INDEX:
            continue
        advisory = osv.parse(data, publisher="suse", name=name)
        if advisory is not None:
            yield advisory


FEEDS = (
    Feed(
        name="suse-vex",
        publisher="suse",
        title="SUSE VEX documents",
        url="https://ftp.suse.com/pub/projects/security/",
        fetch=fetch_changes(lambda source: _ARCHIVE, folder=_FOLDER, hashes=True),
        parse=parse_vex,
        systems=_SYSTEMS,
    ),
    Feed(
        name="suse-osv",
        publisher="suse",
        title="SUSE advisories (OSV)",
        url="https://ftp.suse.com/pub/projects/security/",
        fetch=fixed_files(_OSV),
        parse=parse_osv,
        systems=_SYSTEMS,
        default=False,
    ),
)
