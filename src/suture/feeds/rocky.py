"""Rocky Linux: OSV, its errata service, and the ``updateinfo`` of its repositories."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from urllib.parse import urlencode

import msgspec

from suture.core.intelligence.advisories import Advisory, FixState
from suture.feeds import osv
from suture.feeds.feed import Feed, FeedError, FeedFile, Source, fixed_files
from suture.feeds.fields import cves, day, line, severity
from suture.feeds.rpm import (
    UNKNOWN_STREAM,
    Said,
    affected,
    is_debug,
    is_modular,
    split_nevra,
    with_streams,
)
from suture.feeds.updateinfo import fetch_repositories, parser
from suture.reading import UnreadableError, json_of, members, opened

_SYSTEMS = ("rocky",)
_REPOSITORIES = {
    "8": ("BaseOS", "AppStream", "PowerTools", "HighAvailability", "ResilientStorage", "NFV", "RT"),
    "9": ("BaseOS", "AppStream", "CRB", "HighAvailability", "ResilientStorage", "NFV", "RT"),
    "10": ("BaseOS", "AppStream", "CRB", "HighAvailability"),
}
_ONLY_X86_64 = frozenset({"NFV", "RT"})
_ID = re.compile(r"R[A-Z]{1,2}[A-Z]A-[0-9]{4}:[0-9]{1,10}")
_PRODUCT = re.compile(
    r"Rocky Linux (?:(?P<sig>SIG [A-Za-z0-9 ]{1,40}?) )?(?P<major>[0-9]{1,3})(?:\.[0-9]{1,3})?"
    r"(?: (?P<arch>[a-z0-9_]{1,16}))?(?: \(Legacy\))?"
)
_PAGE_SIZE = 100
_MAX_PAGES = 1000
_MAX_PAGE = 200_000_000
_OVERLAP = timedelta(days=2)  # clocks, and advisories that appear after their date


class _Package(msgspec.Struct):
    nevra: str
    product_name: str
    module_name: str | None = None
    module_stream: str | None = None


class _Cve(msgspec.Struct):
    cve: str = ""


class _Erratum(msgspec.Struct):
    name: str
    kind: str = ""
    severity: str | None = None
    synopsis: str | None = None
    published_at: str | None = None
    updated_at: str | None = None
    cves: list[_Cve] = []
    packages: list[_Package] = []


class _Links(msgspec.Struct):
    next: str | None = None


class _Page(msgspec.Struct):
    advisories: list[_Erratum]
    links: _Links = msgspec.field(default_factory=_Links)


def fetch_errata(source: Source) -> Sequence[FeedFile]:
    """All pages at first, later those of advisories newer than the last sync.

    The newest come first, so that every new one moves the others over the pages: a page speaks of
    the advisories on it and of no others.
    """
    after = {}
    if source.since is not None:
        start = source.since.astimezone(UTC) - _OVERLAP
        after["after"] = start.strftime("%Y-%m-%dT00:00:00")
    pages: list[FeedFile] = []
    for number in range(1, _MAX_PAGES + 1):
        query = urlencode({"page": number, "size": _PAGE_SIZE} | after)
        page = source.get(f"?{query}", max_bytes=_MAX_PAGE, partial=True)
        pages.append(page)
        if _page(page).links.next is None:
            return pages
    raise FeedError(f"the errata of Rocky Linux have more than {_MAX_PAGES} pages")


def _page(file: FeedFile) -> _Page:
    with opened(file.location, limit=_MAX_PAGE) as stream:
        return json_of(stream.read(), _Page, name=file.name)


def parse_errata(file: FeedFile) -> Iterator[Advisory]:
    for erratum in _page(file).advisories:
        if not _ID.fullmatch(erratum.name):
            raise UnreadableError(f"{file.name} has an id that is not one: {erratum.name[:80]!a}")
        advisory = _of_erratum(erratum, file.name)
        if advisory.cves or erratum.kind == "Security":
            yield advisory


def _of_erratum(erratum: _Erratum, name: str) -> Advisory:
    return Advisory(
        id=erratum.name,
        publisher="rocky",
        cves=cves(one.cve for one in erratum.cves),
        affected=affected(_said(erratum, name)),
        severity=severity(erratum.severity),
        published=day(erratum.published_at),
        modified=day(erratum.updated_at),
        summary=line(erratum.synopsis),
        url=f"https://errata.rockylinux.org/{erratum.name}",
    )


def _said(erratum: _Erratum, name: str) -> Iterator[Said]:
    for one in erratum.packages:
        nevra = split_nevra(one.nevra, name=name)
        product = _PRODUCT.fullmatch(one.product_name)
        if product is None or nevra.arch == "src" or is_debug(nevra.name):
            continue
        module = f"{one.module_name}:{one.module_stream}" if one.module_name else ""
        yield Said(
            release=f"rocky:{product['major']}",
            package=nevra.name,
            state=FixState.FIXED,
            fixed=nevra.evr,
            arch=nevra.arch,
            channel=(product["sig"] or "").lower().replace(" ", "-"),
            module=line(module),
            note=UNKNOWN_STREAM if is_modular(nevra.evr) and not module else "",
        )


def parse_osv(file: FeedFile) -> Iterator[Advisory]:
    for name, data in members(file.location, suffix=".json"):
        advisory = osv.parse(data, publisher="rocky", name=name)
        if advisory is not None:
            yield with_streams(advisory)


def _updateinfo(version: str) -> Feed:
    roots = [
        f"{version}/{repository}/{arch}/os/"
        for repository in _REPOSITORIES[version]
        for arch in ("x86_64", "aarch64")
        if arch == "x86_64" or repository not in _ONLY_X86_64
    ]
    return Feed(
        name=f"rocky-{version}-updateinfo",
        publisher="rocky",
        title=f"Rocky Linux {version} updateinfo",
        url="https://download.rockylinux.org/pub/rocky/",
        fetch=fetch_repositories(*roots),
        parse=parser("rocky", f"rocky:{version}"),
        systems=_SYSTEMS,
        default=False,
    )


FEEDS = (
    Feed(
        name="rocky-errata",
        publisher="rocky",
        title="Rocky Linux errata",
        url="https://apollo.build.resf.org/api/v3/advisories/",
        fetch=fetch_errata,
        parse=parse_errata,
        systems=_SYSTEMS,
        default=False,
    ),
    Feed(
        name="rocky-osv",
        publisher="rocky",
        title="Rocky Linux advisories (OSV)",
        url="https://osv-vulnerabilities.storage.googleapis.com/Rocky%20Linux/",
        fetch=fixed_files("all.zip"),
        parse=parse_osv,
        systems=_SYSTEMS,
    ),
    *map(_updateinfo, _REPOSITORIES),
)
