"""AlmaLinux: OSV, its own errata, and the ``updateinfo`` of its repositories.

The errata say most: they name the module streams, and differ by architecture. OSV has neither,
and names a stream in the advisory's title alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

import msgspec

from suture.core.intelligence.advisories import Advisory, FixState
from suture.feeds import osv
from suture.feeds.feed import Feed, FeedFile, fixed_files
from suture.feeds.fields import cves, line, severity, token
from suture.feeds.rpm import (
    UNKNOWN_STREAM,
    Said,
    affected,
    evr,
    is_debug,
    is_modular,
    only_stream,
    with_streams,
)
from suture.feeds.updateinfo import fetch_repositories, parser
from suture.reading import UnreadableError, json_of, members, opened

_SYSTEMS = ("almalinux",)
_RELEASES = ("8", "9", "10")
_REPOSITORIES = {
    "8": ("BaseOS", "AppStream", "PowerTools", "HighAvailability", "ResilientStorage"),
    "9": ("BaseOS", "AppStream", "CRB", "HighAvailability", "ResilientStorage"),
    "10": ("BaseOS", "AppStream", "CRB", "HighAvailability"),
}
_ARCHS = ("x86_64", "aarch64")
_ID = re.compile(r"AL[A-Z]A-[0-9]{4}:[A-Za-z0-9._-]{1,20}")
_RELEASE = re.compile(r"([0-9]{1,3})/errata\.full\.json")
_MAX_ERRATA = 1_000_000_000


class _Package(msgspec.Struct):
    name: str
    version: str
    release: str
    arch: str = ""
    epoch: str = "0"


class _Module(msgspec.Struct):
    name: str = ""
    stream: str = ""
    arch: str = ""


class _Reference(msgspec.Struct):
    id: str = ""
    type: str = ""


class _Erratum(msgspec.Struct):
    id: str
    type: str = ""
    severity: str = ""
    title: str = ""
    issued_date: float = 0
    updated_date: float = 0
    packages: list[_Package] = []
    modules: list[_Module] = []
    references: list[_Reference] = []


class _Errata(msgspec.Struct):
    data: list[_Erratum]


def parse_errata(file: FeedFile) -> Iterator[Advisory]:
    """``9/errata.full.json``, whose release its path says alone."""
    release = _RELEASE.fullmatch(file.name)
    if release is None:
        raise UnreadableError(f"{file.name[:200]!a} is not the errata of a release")
    with opened(file.location, limit=_MAX_ERRATA) as stream:
        errata = json_of(stream.read(), _Errata, name=file.name).data
    for erratum in errata:
        if not _ID.fullmatch(erratum.id):
            raise UnreadableError(f"{file.name} has an id that is not one: {erratum.id[:80]!a}")
        advisory = _of_erratum(erratum, f"almalinux:{release[1]}", file.name)
        if advisory.cves or erratum.type == "security":
            yield advisory


def _of_erratum(erratum: _Erratum, release: str, name: str) -> Advisory:
    page = f"{release.rpartition(':')[2]}/{erratum.id.replace(':', '-')}.html"
    return Advisory(
        id=erratum.id,
        publisher="almalinux",
        cves=cves(one.id for one in erratum.references if one.type == "cve"),
        affected=affected(_said(erratum, release, name)),
        severity=severity(erratum.severity),
        published=_day(erratum.issued_date),
        modified=_day(erratum.updated_date),
        summary=line(erratum.title),
        url=f"https://errata.almalinux.org/{page}",
    )


def _said(erratum: _Erratum, release: str, name: str) -> Iterator[Said]:
    for one in erratum.packages:
        if one.arch == "src" or is_debug(one.name):
            continue
        fixed = evr(one.epoch, one.version, one.release, name=name)
        module = _module(erratum, one.arch) if is_modular(fixed) else ""
        yield Said(
            release=release,
            package=token(one.name, name=name),
            state=FixState.FIXED,
            fixed=fixed,
            arch=line(one.arch),
            module=module,
            note=UNKNOWN_STREAM if is_modular(fixed) and not module else "",
        )


def _module(erratum: _Erratum, arch: str) -> str:
    """The stream of the erratum's modular packages, empty where it names several."""
    streams = {
        line(f"{one.name}:{one.stream}")
        for one in erratum.modules
        if one.arch in ("", arch) or arch == "noarch" or (arch, one.arch) == ("i686", "x86_64")
    }
    return only_stream(streams, erratum.title)


def _day(seconds: float) -> date | None:
    try:
        return datetime.fromtimestamp(seconds, UTC).date() if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def parse_osv(file: FeedFile) -> Iterator[Advisory]:
    for name, data in members(file.location, suffix=".json"):
        advisory = osv.parse(data, publisher="almalinux", name=name)
        if advisory is not None:
            yield with_streams(advisory)


def _updateinfo(version: str) -> Feed:
    roots: Sequence[str] = [
        f"{version}/{repository}/{arch}/os/"
        for repository in _REPOSITORIES[version]
        for arch in _ARCHS
    ]
    return Feed(
        name=f"almalinux-{version}-updateinfo",
        publisher="almalinux",
        title=f"AlmaLinux {version} updateinfo",
        url="https://repo.almalinux.org/almalinux/",
        fetch=fetch_repositories(*roots),
        parse=parser("almalinux", f"almalinux:{version}"),
        systems=_SYSTEMS,
        default=False,
    )


FEEDS = (
    Feed(
        name="almalinux-errata",
        publisher="almalinux",
        title="AlmaLinux errata",
        url="https://errata.almalinux.org/",
        fetch=fixed_files(*(f"{version}/errata.full.json" for version in _RELEASES)),
        parse=parse_errata,
        systems=_SYSTEMS,
    ),
    Feed(
        name="almalinux-osv",
        publisher="almalinux",
        title="AlmaLinux advisories (OSV)",
        url="https://github.com/AlmaLinux/osv-database/",
        fetch=fixed_files("archive/refs/heads/master.tar.gz"),
        parse=parse_osv,
        systems=_SYSTEMS,
        default=False,
    ),
    *map(_updateinfo, _RELEASES),
)
