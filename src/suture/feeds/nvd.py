"""NVD: CVSS scores by source, weaknesses and references of every CVE.

Two ways to the same records, of which a site needs one. ``nvd`` reads files: one a year, checked
against the hash beside it, and for syncs at most a week apart the one of all recent changes.
``nvd-api`` asks the API for what was modified since the last sync, which is fresher and slower.
What was interrupted has changed nothing and asks for its pages again.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated
from urllib.parse import urlencode

from msgspec import Meta, Raw, Struct, field

from suture.core.intelligence.enrichment import CvssScore, Enrichment, KnownExploited, Ssvc
from suture.feeds import enriching, fields
from suture.feeds.feed import Feed, FeedError, FeedFile, Source
from suture.reading import UnreadableError, json_of, opened

FIRST_YEAR = 2002  # its file has all earlier years
PAGE = 2000  # the most that the API answers at once
WINDOW = timedelta(days=120)  # the longest span that the API takes
PAUSE_S = 6.0  # between requests, as NVD asks of those without a key
MAX_PAGES = 1000

_MODIFIED_COVERS = timedelta(days=7)  # it has eight; one is to spare
_OVERLAP = timedelta(hours=2)  # a record may show up in the API later than it is dated
_MAX_YEAR = 1_500_000_000  # bytes unpacked; the largest years have about 200 million
_META_HASH = re.compile(r"^sha256:([0-9A-Fa-f]{64})\s*$", re.MULTILINE)
_NVD = "nvd@nist.gov"


class _CvssData(Struct, rename="camel"):
    version: str = ""
    vector_string: str = ""
    base_score: float | None = None


class _Metric(Struct, rename="camel"):
    cvss_data: _CvssData
    source: str = ""


class _SsvcData(Struct):
    options: list[dict[str, str]] = field(default_factory=list)
    timestamp: str = ""


class _SsvcMetric(Struct, rename="camel"):
    ssvc_data: _SsvcData


class _Metrics(Struct):
    v31: list[_Metric] = field(name="cvssMetricV31", default_factory=list)
    v30: list[_Metric] = field(name="cvssMetricV30", default_factory=list)
    v40: list[_Metric] = field(name="cvssMetricV40", default_factory=list)
    v2: list[_Metric] = field(name="cvssMetricV2", default_factory=list)
    ssvc: list[_SsvcMetric] = field(name="ssvcV203", default_factory=list)


class _Text(Struct):
    lang: str = ""
    value: str = ""


class _Weakness(Struct):
    description: list[_Text] = field(default_factory=list)


class _Tags(Struct):
    tags: list[str] = field(default_factory=list)


class _Reference(Struct):
    url: str = ""


class _Cve(Struct, rename="camel"):
    id: str
    vuln_status: str = ""
    source_identifier: str = ""
    published: str = ""
    last_modified: str = ""
    cve_tags: list[_Tags] = field(default_factory=list)
    descriptions: list[_Text] = field(default_factory=list)
    metrics: _Metrics = field(default_factory=_Metrics)
    weaknesses: list[_Weakness] = field(default_factory=list)
    references: list[_Reference] = field(default_factory=list)
    cisa_exploit_add: str = ""
    cisa_action_due: str = ""
    cisa_required_action: str = ""


class _Item(Struct):
    cve: _Cve


class _Page(Struct, rename="camel"):
    format: str
    version: str
    results_per_page: int
    total_results: Annotated[int, Meta(ge=0, le=10_000_000)]
    vulnerabilities: Annotated[list[Raw], Meta(max_length=1_000_000)]


def parse(file: FeedFile) -> Iterator[Enrichment]:
    """The records of a yearly file, of the file of changes, or of a page of the API."""
    page = _page(file)
    for raw in page.vulnerabilities:
        yield _enrichment(json_of(bytes(raw), _Item, name=file.name).cve, file.name)


def _page(file: FeedFile) -> _Page:
    with opened(file.location, limit=_MAX_YEAR) as stream:
        page = json_of(stream.read(), _Page, name=file.name)
    if (page.format, page.version) != ("NVD_CVE", "2.0"):
        raise UnreadableError(f"{file.name} is no answer of NVD's in version 2.0")
    if len(page.vulnerabilities) < page.results_per_page:
        raise UnreadableError(f"{file.name} has fewer records than it says")
    return page


def _enrichment(cve: _Cve, name: str) -> Enrichment:
    text = next((one.value for one in cve.descriptions if one.lang == "en"), "")
    return Enrichment(
        cve=enriching.cve_id(cve.id, name=name),
        scores=tuple(_scores(cve)),
        kev=_exploited(cve),
        ssvc=_ssvc(cve),
        cwe=enriching.weaknesses(
            one.value for weakness in cve.weaknesses for one in weakness.description
        ),
        published=fields.day(cve.published),
        modified=fields.day(cve.last_modified),
        disputed=any("disputed" in one.tags for one in cve.cve_tags) or fields.disputed(text),
        rejected=cve.vuln_status.lower() == "rejected",
        description=enriching.paragraph(text),
        references=enriching.links(one.url for one in cve.references),
    )


def _scores(cve: _Cve) -> Iterator[CvssScore]:
    every = [*cve.metrics.v31, *cve.metrics.v30, *cve.metrics.v40, *cve.metrics.v2]
    for metric in every[: enriching.MAX_SCORES]:
        data = metric.cvss_data
        scored = enriching.cvss(
            data.version, data.vector_string, data.base_score, _scorer(metric.source, cve)
        )
        if scored is not None:
            yield scored


def _scorer(source: str, cve: _Cve) -> str:
    if source == _NVD:
        return "nvd"
    if source == enriching.CISA_ADP:
        return "cisa-adp"
    return "cna" if source == cve.source_identifier else enriching.source_name(source)


def _ssvc(cve: _Cve) -> Ssvc | None:
    for metric in cve.metrics.ssvc:
        return enriching.ssvc(metric.ssvc_data.options, metric.ssvc_data.timestamp)
    return None


def _exploited(cve: _Cve) -> KnownExploited | None:
    """The entry of CISA's catalogue that NVD repeats."""
    added = fields.day(cve.cisa_exploit_add)
    if added is None:
        return None
    action = enriching.paragraph(cve.cisa_required_action)
    return KnownExploited(added, due=fields.day(cve.cisa_action_due), action=action)


def fetch_files(source: Source, *, now: Callable[[], datetime]) -> Sequence[FeedFile]:
    """All years, or the file of changes where the last sync was lately."""
    if source.since is not None and now() - source.since < _MODIFIED_COVERS:
        return [_checked(source, "nvdcve-2.0-modified", partial=True)]
    years = range(FIRST_YEAR, now().year + 1)
    return [_checked(source, f"nvdcve-2.0-{year}", partial=False) for year in years]


def _checked(source: Source, stem: str, *, partial: bool) -> FeedFile:
    """A file whose unpacked content has the hash that the ``.meta`` file beside it names."""
    meta = source.get(f"{stem}.meta", max_bytes=10_000)
    named = _META_HASH.search(meta.location.read_text(encoding="ascii", errors="replace"))
    if named is None:
        raise FeedError(f"{stem}.meta names no hash")
    file = source.get(f"{stem}.json.gz", partial=partial)
    if file.changed and _unpacked_hash(file) != named[1].lower():
        raise FeedError(f"{file.name} is not what {stem}.meta names: its SHA-256 differs")
    return file


def _unpacked_hash(file: FeedFile) -> str:
    with opened(file.location, limit=_MAX_YEAR) as stream:
        digest = hashlib.sha256()
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
        return digest.hexdigest()


def fetch_pages(
    source: Source, *, now: Callable[[], datetime], pause: Callable[[float], None]
) -> Sequence[FeedFile]:
    """Pages of what was modified since the last sync, all records where there was none."""
    windows = _windows(source.since - _OVERLAP, now()) if source.since else [{}]
    return [file for window in windows for file in _pages(source, window, pause)]


def _windows(since: datetime, until: datetime) -> Iterator[dict[str, str]]:
    """Query parameters of the spans of time between the two, none longer than ``WINDOW``.

    They are counted from ``since``, so a sync that begins anew asks for the same spans.
    """
    while since < until:
        end = min(since + WINDOW, until)
        yield {"lastModStartDate": _time(since), "lastModEndDate": _time(end)}
        since = end


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _pages(
    source: Source, window: dict[str, str], pause: Callable[[float], None]
) -> Iterator[FeedFile]:
    """From the last page to the first: a record that is modified meanwhile leaves the window and
    moves those behind it forward, to pages that are still to come. So none is missed.
    """
    first = source.get(_query(window, start=0), partial=True)
    pause(PAUSE_S)
    total = _page(first).total_results
    if total > MAX_PAGES * PAGE:
        raise FeedError(f"NVD's API counts {total} records, which cannot be")
    if total <= PAGE:
        yield first
        return
    for start in reversed(range(0, total, PAGE)):
        yield source.get(_query(window, start=start), partial=True)
        pause(PAUSE_S)


def _query(window: dict[str, str], *, start: int) -> str:
    return f"cves/2.0?{urlencode({**window, 'startIndex': start, 'resultsPerPage': PAGE})}"


def _now() -> datetime:
    return datetime.now(UTC)


FEEDS = (
    Feed(
        name="nvd",
        publisher="nvd",
        title="NVD: CVSS, weaknesses and references of all CVEs",
        url="https://nvd.nist.gov/feeds/json/cve/2.0/",
        fetch=partial(fetch_files, now=_now),
        parse=parse,
    ),
    Feed(
        name="nvd-api",
        publisher="nvd",
        title="NVD by its API, in the place of nvd: fresher, and slow the first time",
        url="https://services.nvd.nist.gov/rest/json/",
        fetch=partial(fetch_pages, now=_now, pause=time.sleep),
        parse=parse,
        default=False,
    ),
)
