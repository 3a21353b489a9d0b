"""EPSS: how likely each CVE is to be exploited within 30 days, new every day.

The official address has a file of each day and the newest as ``epss_scores-current.csv.gz``. The
days since the last sync are fetched as well, so that history has no gaps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from suture.core.intelligence.epss import ScoreTable
from suture.feeds.feed import Feed, FeedError, FeedFile, Source
from suture.reading import UnreadableError, opened

MAX_TABLE = 200_000_000  # bytes unpacked; a day has about 10 million
MAX_MISSED = 30  # days fetched to fill a gap

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HEADER = re.compile(rb"cve,epss(,percentile)?\r?")
_LINE = re.compile(
    rb"^(CVE-[0-9]{4}-[0-9]{4,14}),([0-9][0-9.eE-]{0,24})(?:,([0-9][0-9.eE-]{0,24}))?\r?$",
    re.MULTILINE,
)


def _fetch(source: Source) -> Sequence[FeedFile]:
    current = source.get("epss_scores-current.csv.gz")
    return [*_missed(source, datetime.now(UTC).date()), current]


def _missed(source: Source, today: date) -> Iterator[FeedFile]:
    """The days between the last sync and yesterday; one that cannot be had stays a gap."""
    if source.since is None:
        return
    first = max(source.since.date() + timedelta(1), today - timedelta(MAX_MISSED))
    for ago in range((today - first).days, 0, -1):
        try:
            yield source.get(f"epss_scores-{today - timedelta(ago)}.csv.gz")
        except FeedError:
            continue


def scores(file: FeedFile) -> ScoreTable:
    """The scores of one day. The day and the model are in a comment at the top; files from before
    2022 have none, and their name has the day. The oldest have no percentiles.
    """
    name = file.name
    with opened(file.location, limit=MAX_TABLE) as stream:
        text = stream.read()
    comment, _, text = text.partition(b"\n") if text.startswith(b"#") else (b"", b"", text)
    header, _, body = text.partition(b"\n")
    heading = _HEADER.fullmatch(header)
    if heading is None:
        raise UnreadableError(f"{name} is no table of EPSS scores: {header[:60]!a}")
    rows = _LINE.findall(body)
    if not rows or len(rows) != len(body.splitlines()) or not text.endswith(b"\n"):
        raise UnreadableError(f"{name} has lines that are no scores, or was cut off")
    cves = np.array([row[0] for row in rows])
    order = np.argsort(cves, kind="stable")
    cves = cves[order]
    if bool(np.any(cves[1:] == cves[:-1])):
        raise UnreadableError(f"{name} has two scores of one CVE")
    has_percentile = heading[1] is not None
    if any(bool(row[2]) is not has_percentile for row in rows):
        raise UnreadableError(f"{name} has lines that its header does not describe")
    fields = dict(part.partition(":")[::2] for part in _comment(comment).split(","))
    return ScoreTable(
        day=_day(fields.get("score_date", "") or name, name),
        model=fields.get("model_version", ""),
        cves=cves,
        probabilities=_shares([row[1] for row in rows], name)[order],
        percentiles=(
            _shares([row[2] for row in rows], name)[order]
            if has_percentile
            else np.full(len(rows), np.nan)
        ),
    )


def _comment(line: bytes) -> str:
    text = line.decode("ascii", "replace").strip().removeprefix("#")[:200]
    return "".join(one for one in text if "!" <= one <= "~")


def _day(text: str, name: str) -> date:
    found = _DATE.search(text)
    try:
        return date.fromisoformat(found[0] if found else "")
    except ValueError:
        raise UnreadableError(f"{name} does not say of which day its scores are") from None


def _shares(texts: list[bytes], name: str) -> NDArray[np.float64]:
    """Numbers from 0 to 1."""
    try:
        numbers = np.array(texts).astype(np.float64)
    except ValueError as error:
        raise UnreadableError(f"{name} has a score that is no number: {error}") from None
    if not bool(np.all((numbers >= 0) & (numbers <= 1))):
        raise UnreadableError(f"{name} has a score that is not between 0 and 1")
    return numbers


FEEDS = (
    Feed(
        name="epss",
        publisher="first",
        title="EPSS: the probability of exploitation within 30 days",
        url="https://epss.empiricalsecurity.com/",
        fetch=_fetch,
        scores=scores,
        stale_after_s=4 * 86400,
    ),
)
