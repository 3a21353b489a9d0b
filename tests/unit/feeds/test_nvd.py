"""NVD's records and how few requests keep them up to date."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suture.core.intelligence.enrichment import (
    CvssScore,
    Enrichment,
    Exploitation,
    KnownExploited,
    Ssvc,
    TechnicalImpact,
)
from suture.feeds import nvd
from suture.feeds.feed import FeedError
from suture.reading import UnreadableError
from tests.unit.feeds.sources import RECORDED, Shelf, damaged, recorded, written

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PAGE = (RECORDED / "nvd/page.json").read_bytes()
LOG4SHELL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"


def test_a_page_says_who_scored_what() -> None:
    first, second = nvd.parse(recorded("nvd/page.json"))
    assert first == Enrichment(
        cve="CVE-2021-44228",
        scores=(
            CvssScore("3.1", LOG4SHELL, 10.0, "nvd"),
            CvssScore("3.1", LOG4SHELL, 10.0, "cisa-adp"),
            CvssScore("2.0", "AV:N/AC:M/Au:N/C:C/I:C/A:C", 9.3, "nvd"),
        ),
        kev=KnownExploited(
            date(2021, 12, 10),
            due=date(2021, 12, 24),
            action=first.kev.action if first.kev else "",
        ),
        ssvc=Ssvc(Exploitation.ACTIVE, True, TechnicalImpact.TOTAL, date(2025, 2, 4)),
        cwe=("CWE-20", "CWE-400", "CWE-502", "CWE-917"),
        published=date(2021, 12, 10),
        modified=date(2026, 6, 17),
        description=first.description,
        references=first.references,
    )
    assert first.description.startswith("Apache Log4j2 2.0-beta9 through 2.15.0")
    assert len(first.references) == 2
    assert first.kev is not None and first.kev.action.startswith("For all affected software")
    assert {(one.version, one.source) for one in second.scores} == {
        ("4.0", "cna"),
        ("3.1", "cna"),
        ("2.0", "cna"),
    }
    assert (second.cvss, second.kev, second.ssvc) == (4.3, None, None)


def page(**fields: Any) -> dict[str, Any]:
    cve = {"id": "CVE-2026-0001"} | fields.pop("cve", {})
    whole: dict[str, Any] = {
        "format": "NVD_CVE",
        "version": "2.0",
        "resultsPerPage": 1,
        "startIndex": 0,
        "totalResults": 1,
        "vulnerabilities": [{"cve": cve}],
    }
    return whole | fields


def parsed(tmp_path: Path, whole: object) -> list[Enrichment]:
    return list(nvd.parse(written(tmp_path, "page.json", json.dumps(whole).encode())))


def test_rejected_and_disputed_are_kept_as_what_they_are(tmp_path: Path) -> None:
    (one,) = parsed(tmp_path, page(cve={"vulnStatus": "Rejected"}))
    assert (one.rejected, one.disputed, one.cvss) == (True, False, None)
    tags = [{"sourceIdentifier": "cve@mitre.org", "tags": ["disputed"]}]
    (one,) = parsed(tmp_path, page(cve={"vulnStatus": "Deferred", "cveTags": tags}))
    assert (one.rejected, one.disputed) == (False, True)


def metric(vector: str, score: float | None, source: str = "nvd@nist.gov") -> dict[str, Any]:
    data = {"version": "3.1", "vectorString": vector}
    return {"source": source, "cvssData": data if score is None else data | {"baseScore": score}}


@pytest.mark.parametrize(
    ("vector", "published", "score"),
    [
        (LOG4SHELL, 10.0, 10.0),
        (LOG4SHELL, None, 10.0),
        (LOG4SHELL + "/E:P/RL:O", 9.0, 10.0),
        ("CVSS:3.1/AV:X", 7.0, 7.0),
    ],
)
def test_scores_are_checked_against_their_vector(
    tmp_path: Path, vector: str, published: float | None, score: float
) -> None:
    metrics = {"cvssMetricV31": [metric(vector, published)]}
    (one,) = parsed(tmp_path, page(cve={"metrics": metrics}))
    assert one.cvss == score


def test_a_score_without_sense_is_not_known(tmp_path: Path) -> None:
    metrics = {"cvssMetricV31": [metric("", 11.0), metric("AV:N", None)]}
    assert parsed(tmp_path, page(cve={"metrics": metrics}))[0].scores == ()


@pytest.mark.parametrize(
    "broken",
    [
        page(cve={"id": "CVE-2026-1; rm"}),
        page(cve={"id": 7}),
        page(version="1.1"),
        page(format="MITRE"),
        page(resultsPerPage=2),
        page(totalResults=-1),
        page(vulnerabilities=[{"cve": {}}]),
        {},
        [],
    ],
)
def test_what_is_broken_is_refused(tmp_path: Path, broken: object) -> None:
    with pytest.raises(UnreadableError, match=r"page\.json"):
        parsed(tmp_path, broken)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(PAGE))
def test_a_damaged_page_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    try:
        records = list(nvd.parse(written(tmp_path, "page.json", content)))
    except UnreadableError:
        return
    assert all(record.cvss is None or 0 <= record.cvss <= 10 for record in records)


def year_files(*names: str) -> dict[str, bytes]:
    """Empty files of NVD's with their hashes, which are in capitals there."""
    empty = json.dumps(page(vulnerabilities=[], resultsPerPage=0)).encode()
    meta = f"lastModifiedDate:2026-03-01\r\nsha256:{hashlib.sha256(empty).hexdigest().upper()}\r\n"
    return {
        f"nvdcve-2.0-{name}{suffix}": content
        for name in names
        for suffix, content in ((".meta", meta.encode()), (".json.gz", gzip.compress(empty)))
    }


def test_the_first_sync_is_all_years_and_the_next_what_changed(tmp_path: Path) -> None:
    years = [str(year) for year in range(2002, 2027)]
    shelf = Shelf(tmp_path, year_files(*years, "modified"))
    files = nvd.fetch_files(shelf, now=lambda: NOW)
    assert [file.name for file in files] == [f"nvdcve-2.0-{year}.json.gz" for year in years]
    assert not any(file.partial for file in files)
    shelf.since = NOW - timedelta(days=6)
    (changes,) = nvd.fetch_files(shelf, now=lambda: NOW)
    assert (changes.name, changes.partial) == ("nvdcve-2.0-modified.json.gz", True)
    shelf.since = NOW - timedelta(days=8)
    assert len(nvd.fetch_files(shelf, now=lambda: NOW)) == len(years)


@pytest.mark.parametrize("meta", [b"sha256:" + b"0" * 64, b"size:3", b""])
def test_a_file_that_is_not_what_its_meta_says_is_refused(tmp_path: Path, meta: bytes) -> None:
    content = year_files("modified") | {"nvdcve-2.0-modified.meta": meta}
    with pytest.raises(FeedError, match="meta names"):
        nvd.fetch_files(Shelf(tmp_path, content, since=NOW), now=lambda: NOW)


class Api(Shelf):
    """Answers any query with an empty page that counts ``total`` records."""

    total = 4001

    def get(self, name: str, **rest: Any) -> Any:
        answer = page(vulnerabilities=[], resultsPerPage=0, totalResults=self.total)
        self.content = {name: json.dumps(answer).encode()}
        return super().get(name, **rest)


def test_the_api_is_paged_backwards_and_at_leisure(tmp_path: Path) -> None:
    api, pauses = Api(tmp_path, {}, since=NOW - timedelta(days=30)), list[float]()
    files = nvd.fetch_pages(api, now=lambda: NOW, pause=pauses.append)
    starts = [name.split("startIndex=")[1].split("&")[0] for name in api.asked]
    assert starts == ["0", "4000", "2000", "0"]  # the first one to learn how many there are
    assert [file.name for file in files] == api.asked[1:]
    assert all(file.partial for file in files)
    assert pauses == [nvd.PAUSE_S] * 4
    assert "lastModStartDate=2026-01-31T10%3A00%3A00.000%2B00%3A00" in api.asked[0]
    assert "lastModEndDate=2026-03-02T12%3A00%3A00.000%2B00%3A00" in api.asked[0]


def test_where_nothing_was_modified_a_page_says_so(tmp_path: Path) -> None:
    api, pauses = Api(tmp_path, {}, since=NOW - timedelta(days=1)), list[float]()
    api.total = 0
    (page_,) = nvd.fetch_pages(api, now=lambda: NOW, pause=pauses.append)
    assert page_.partial and list(nvd.parse(page_)) == []


@given(st.integers(0, 2000))
def test_windows_leave_no_gap_and_are_short_enough(days: int) -> None:
    since = NOW - timedelta(days=days, hours=5)
    windows = [
        tuple(datetime.fromisoformat(at) for at in window.values())
        for window in nvd._windows(since, NOW)
    ]
    assert windows[0][0] == since and windows[-1][1] == NOW
    assert all(end - start <= timedelta(days=120) for start, end in windows)
    assert all(one[1] == other[0] for one, other in itertools.pairwise(windows))


def test_an_api_that_counts_without_end_is_not_believed(tmp_path: Path) -> None:
    api = Api(tmp_path, {})
    api.total = 9_999_999
    with pytest.raises(FeedError, match="cannot be"):
        nvd.fetch_pages(api, now=lambda: NOW, pause=lambda _: None)
    assert len(api.asked) == 1
