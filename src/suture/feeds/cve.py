"""CVE records (JSON 5): what the assigners say, and what CISA adds to it (vulnrichment).

The CVE list is fetched whole once, and then by its releases: one of all changes of each day that
is over, and the newest of today. CISA's own repository has its additions alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial

from msgspec import Raw, Struct, field

from suture.core.intelligence.enrichment import CvssScore, Enrichment, KnownExploited, Ssvc
from suture.feeds import enriching, fields
from suture.feeds.feed import Feed, FeedError, FeedFile, Source, fixed_files
from suture.reading import UnreadableError, json_of, members

MAX_DELTAS = 30  # days after which the whole list is less to fetch

_LATE_HOURS = 5

_RECORD = re.compile(r"(?:.*/)?CVE-[0-9]{4}-[0-9]{4,19}\.json")
_NOTHING = Raw(b"null")


class _Text(Struct, rename="camel"):
    lang: str = ""
    value: str = ""
    cwe_id: str = ""


class _ProblemType(Struct):
    descriptions: list[_Text] = field(default_factory=list)


class _Reference(Struct):
    url: str = ""


class _Provider(Struct, rename="camel"):
    org_id: str = ""
    short_name: str = ""


class _Cvss(Struct, rename="camel"):
    version: str = ""
    vector_string: str = ""
    base_score: float | None = None


class _Other(Struct):
    """A metric of a kind that the schema leaves open; CISA's two kinds are read."""

    type: str = ""
    content: Raw = _NOTHING


class _SsvcContent(Struct):
    options: list[dict[str, str]] = field(default_factory=list)
    timestamp: str = ""


class _KevContent(Struct, rename="camel"):
    date_added: str = ""


class _Metric(Struct):
    v31: _Cvss | None = field(name="cvssV3_1", default=None)
    v30: _Cvss | None = field(name="cvssV3_0", default=None)
    v40: _Cvss | None = field(name="cvssV4_0", default=None)
    v2: _Cvss | None = field(name="cvssV2_0", default=None)
    other: _Other | None = None


class _Container(Struct, rename="camel"):
    provider_metadata: _Provider = field(default_factory=_Provider)
    tags: list[str] = field(default_factory=list)
    descriptions: list[_Text] = field(default_factory=list)
    metrics: list[_Metric] = field(default_factory=list)
    problem_types: list[_ProblemType] = field(default_factory=list)
    references: list[_Reference] = field(default_factory=list)


class _Containers(Struct):
    cna: _Container
    adp: list[_Container] = field(default_factory=list)


class _Metadata(Struct, rename="camel"):
    cve_id: str
    state: str
    date_published: str = ""
    date_updated: str = ""


class _Record(Struct, rename="camel"):
    data_type: str
    data_version: str
    cve_metadata: _Metadata
    containers: _Containers


def parse(file: FeedFile) -> Iterator[Enrichment]:
    """The records of an archive of CVE records, in its order; its other files are passed over."""
    for record in _records(file):
        yield _enrichment(record, [record.containers.cna, *record.containers.adp], file.name)


def parse_additions(file: FeedFile) -> Iterator[Enrichment]:
    """What CISA alone adds to the records of an archive."""
    for record in _records(file):
        added = [one for one in record.containers.adp if _is_cisa(one)]
        if added:
            yield _enrichment(record, added, file.name)


def _records(file: FeedFile) -> Iterator[_Record]:
    found = False
    for name, data in members(file.location, suffix=".json"):
        if _RECORD.fullmatch(name) is None:
            continue
        found = True
        record = json_of(data, _Record, name=f"{file.name}: {name[-80:]!a}")
        if record.data_type != "CVE_RECORD" or not record.data_version.startswith("5."):
            raise UnreadableError(f"{file.name}: {name[-80:]!a} is no CVE record in version 5")
        yield record
    if not found and not file.partial:
        raise UnreadableError(f"{file.name} holds no CVE record")


def _enrichment(record: _Record, parts: list[_Container], name: str) -> Enrichment:
    meta = record.cve_metadata
    texts = (text for part in parts for text in part.descriptions)
    text = next((one.value for one in texts if one.lang.startswith("en")), "")
    return Enrichment(
        cve=enriching.cve_id(meta.cve_id, name=name),
        scores=tuple(_scores(parts)),
        kev=next(_exploited(parts), None),
        ssvc=next(_ssvc(parts), None),
        cwe=enriching.weaknesses(
            one.cwe_id
            for part in parts
            for problem in part.problem_types
            for one in problem.descriptions
        ),
        published=fields.day(meta.date_published),
        modified=fields.day(meta.date_updated),
        disputed=any("disputed" in part.tags for part in parts) or fields.disputed(text),
        rejected=meta.state.upper() == "REJECTED",
        description=enriching.paragraph(text),
        references=enriching.links(one.url for part in parts for one in part.references),
    )


def _scores(parts: list[_Container]) -> Iterator[CvssScore]:
    for part in parts:
        for metric in part.metrics[: enriching.MAX_SCORES]:
            every = (("3.1", metric.v31), ("3.0", metric.v30), ("4.0", metric.v40))
            for version, data in (*every, ("2.0", metric.v2)):
                if data is None:
                    continue
                scored = enriching.cvss(
                    version, data.vector_string, data.base_score, _scorer(part, parts)
                )
                if scored is not None:
                    yield scored


def _scorer(part: _Container, parts: list[_Container]) -> str:
    if _is_cisa(part):
        return "cisa-adp"
    return "cna" if part is parts[0] else enriching.source_name(part.provider_metadata.short_name)


def _is_cisa(part: _Container) -> bool:
    return part.provider_metadata.org_id == enriching.CISA_ADP


def _ssvc(parts: list[_Container]) -> Iterator[Ssvc]:
    for content in _contents(parts, "ssvc"):
        said = json_of(bytes(content), _SsvcContent, name="CISA's SSVC points")
        points = enriching.ssvc(said.options, said.timestamp)
        if points is not None:
            yield points


def _exploited(parts: list[_Container]) -> Iterator[KnownExploited]:
    for content in _contents(parts, "kev"):
        said = json_of(bytes(content), _KevContent, name="CISA's note of exploitation")
        added = fields.day(said.date_added)
        if added is not None:
            yield KnownExploited(added)


def _contents(parts: list[_Container], kind: str) -> Iterator[Raw]:
    for part in filter(_is_cisa, parts):
        for metric in part.metrics:
            if metric.other is not None and metric.other.type.lower() == kind:
                yield metric.other.content


def fetch(source: Source, *, now: Callable[[], datetime]) -> Sequence[FeedFile]:
    """All changes since the day of the last sync; the whole list where that is long ago, or where
    the releases of those days cannot be had."""
    if source.since is not None and now() - source.since < timedelta(MAX_DELTAS):
        try:
            return _changes(source, source.since.astimezone(UTC).date(), now())
        except FeedError:
            pass
    return [source.get("archive/refs/heads/main.tar.gz")]


def _changes(source: Source, since: date, now: datetime) -> list[FeedFile]:
    """The newest release, which has all changes of its day, and those of the days before it."""
    newest, day = _newest(source, now)
    days = (since + timedelta(ago) for ago in range((day - since).days))
    return [*(source.get(_day_over(one), partial=True) for one in days), newest]


def _newest(source: Source, now: datetime) -> tuple[FeedFile, date]:
    """Releases come every hour, and may be late."""
    for ago in range(_LATE_HOURS):
        name, day = _release(now - timedelta(hours=ago))
        try:
            return source.get(name, partial=True), day
        except FeedError:
            continue
    name, day = _release(now - timedelta(hours=_LATE_HOURS))
    return source.get(name, partial=True), day


def _release(at: datetime) -> tuple[str, date]:
    """The release of an hour, and the day whose changes it has."""
    day, hour = at.date(), f"{at:%H}00Z"
    if at.hour == 0:
        day -= timedelta(1)
        return _day_over(day), day
    return f"releases/download/cve_{day}_{hour}/{day}_delta_CVEs_at_{hour}.zip", day


def _day_over(day: date) -> str:
    return f"releases/download/cve_{day}_at_end_of_day/{day}_delta_CVEs_at_end_of_day.zip"


def _now() -> datetime:
    return datetime.now(UTC)


FEEDS = (
    Feed(
        name="cve",
        publisher="cve",
        title="CVE list: the assigners' own records, with what CISA adds",
        url="https://github.com/CVEProject/cvelistV5/",
        fetch=partial(fetch, now=_now),
        parse=parse,
    ),
    Feed(
        name="vulnrichment",
        publisher="cisa",
        title="CISA vulnrichment: SSVC points, CVSS and CWE that CISA adds to CVE records",
        url="https://github.com/cisagov/vulnrichment/",
        fetch=fixed_files("archive/refs/heads/develop.tar.gz"),
        parse=parse_additions,
        default=False,
    ),
)
