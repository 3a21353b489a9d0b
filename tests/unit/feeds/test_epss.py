"""Tables of EPSS scores, in the formats of their time."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from suture.core.intelligence.enrichment import Epss
from suture.feeds import epss
from suture.feeds.feed import FeedFile
from suture.reading import UnreadableError
from tests.unit.feeds.sources import RECORDED, Shelf, damaged, recorded, written

NEWEST = gzip.decompress((RECORDED / "epss/epss_scores-2023-03-07.csv.gz").read_bytes())


@pytest.mark.parametrize(
    ("day", "model", "probability", "percentile"),
    [
        (date(2021, 4, 14), "", 0.65117, None),
        (date(2021, 9, 1), "", 0.65117, 0.9981063485700858),
        (date(2023, 3, 7), "v2023.03.01", 0.97567, 0.99995),
    ],
)
def test_every_format_is_read(
    day: date, model: str, probability: float, percentile: float | None
) -> None:
    table = epss.scores(recorded(f"epss/epss_scores-{day}.csv.gz"))
    assert (table.day, table.model, len(table)) == (day, model, 2)
    assert table.get("CVE-2020-5902") == Epss(probability, percentile, day)
    assert table.get("CVE-2020-5903") is table.get("CVE-9999-9999") is table.get("schön") is None


def test_cves_are_in_order(tmp_path: Path) -> None:
    assert epss.scores(recorded("epss/epss_scores-2023-03-07.csv.gz")).cves.tolist() == [
        b"CVE-2018-19571",
        b"CVE-2020-5902",
    ]


HEADER = b"#model_version:v2025.03.14,score_date:2026-03-02T12:55:00Z\ncve,epss,percentile\n"


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"<html></html>",
        b"cve,epss\nCVE-2020-5902,0.5\n",  # of no day
        b"#",
        HEADER,
        HEADER + b"CVE-2020-5902,0.5,0.9",
        HEADER + b"CVE-2020-5902,0.5\n",
        HEADER + b"CVE-2020-5902,1.5,0.9\n",
        HEADER + b"CVE-2020-5902,0.5,1.1\n",
        HEADER + b"CVE-2020-5902,0.5-,0.9\n",
        HEADER + b"CVE-2020-5902,nan,0.9\n",
        HEADER + b"CVE-2020-5902,-0.1,0.9\n",
        HEADER + b"CVE-2020-5902,0.5,0.9,0.1\n",
        HEADER + b"=HYPERLINK(1),0.5,0.9\n",
        HEADER + b"CVE-2020-5902,0.5,0.9\nCVE-2020-5902,0.6,0.9\n",
        HEADER + b"CVE-2020-5902,0.5,0.9\n\xff\n",
        HEADER.replace(b"2026-03-02", b"2026-13-02") + b"CVE-2020-5902,0.5,0.9\n",
    ],
)
def test_what_is_broken_is_refused(tmp_path: Path, broken: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"current\.csv"):
        epss.scores(written(tmp_path, "current.csv", broken))


def test_a_truncated_download_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="damaged"):
        epss.scores(written(tmp_path, "current.csv.gz", gzip.compress(NEWEST)[:-9]))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(NEWEST))
def test_a_damaged_table_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    try:
        table = epss.scores(written(tmp_path, "current.csv", content))
    except UnreadableError:
        return
    assert np.all((table.probabilities >= 0) & (table.probabilities <= 1))
    assert len(table.cves) == len(table.probabilities) == len(table.percentiles) > 0


def test_days_since_the_last_sync_are_fetched_and_one_that_is_missing_stays_a_gap(
    tmp_path: Path,
) -> None:
    (feed,) = epss.FEEDS
    today = datetime.now(UTC)
    days = [f"epss_scores-{(today - timedelta(ago)).date()}.csv.gz" for ago in (3, 2, 1)]
    there = dict.fromkeys(("epss_scores-current.csv.gz", days[0], days[2]), b"")
    shelf = Shelf(tmp_path, there)
    assert names(feed.fetch(shelf)) == ["epss_scores-current.csv.gz"]
    shelf.since = today - timedelta(days=4)
    assert names(feed.fetch(shelf)) == [days[0], days[2], "epss_scores-current.csv.gz"]
    assert days[1] in shelf.asked


def names(files: object) -> list[str]:
    assert isinstance(files, list) and all(isinstance(file, FeedFile) for file in files)
    return [file.name for file in files]
