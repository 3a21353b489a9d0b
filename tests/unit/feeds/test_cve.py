"""CVE records, CISA's additions to them, and which releases bring the changes."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from suture.core.intelligence.enrichment import (
    CvssScore,
    Enrichment,
    Exploitation,
    KnownExploited,
    Ssvc,
    TechnicalImpact,
)
from suture.feeds import cve
from suture.feeds.feed import FeedFile
from suture.reading import UnreadableError
from tests.unit.feeds.sources import RECORDED, Shelf, damaged, written

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
PLAIN = (RECORDED / "cve/CVE-2023-0002.json").read_bytes()
ADDED = (RECORDED / "cve/CVE-2004-1464.json").read_bytes()
CISA = Enrichment(
    cve="CVE-2004-1464",
    scores=(CvssScore("3.1", "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:N/A:H", 5.9, "cisa-adp"),),
    kev=KnownExploited(date(2023, 5, 19)),
    ssvc=Ssvc(Exploitation.ACTIVE, False, TechnicalImpact.PARTIAL, date(2025, 2, 7)),
    cwe=("CWE-400",),
    published=date(2005, 2, 13),
    modified=date(2025, 10, 21),
)


def archive(directory: Path, members: dict[str, bytes], *, partial: bool = False) -> FeedFile:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as into:
        for name, content in members.items():
            into.writestr(name, content)
    file = written(directory, "list.zip", packed.getvalue())
    return FeedFile(file.name, file.path, partial=partial)


def test_assigner_and_cisa_speak_in_one_record(tmp_path: Path) -> None:
    members = {
        "cvelistV5-main/cves/deltaLog.json": b"[]",
        "cvelistV5-main/cves/2023/0xxx/CVE-2023-0002.json": PLAIN,
        "cvelistV5-main/cves/2004/1xxx/CVE-2004-1464.json": ADDED,
    }
    plain, added = cve.parse(archive(tmp_path, members))
    assert plain == Enrichment(
        cve="CVE-2023-0002",
        scores=(CvssScore("3.1", "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H", 5.5, "cna"),),
        cwe=("CWE-693",),
        published=date(2023, 2, 8),
        description=plain.description,
        references=("https://security.paloaltonetworks.com/CVE-2023-0002",),
    )
    assert plain.description.startswith("A problem with a protection mechanism in the Palo Alto")
    assert (added.scores, added.kev, added.ssvc, added.cwe) == (
        CISA.scores,
        CISA.kev,
        CISA.ssvc,
        CISA.cwe,
    )
    assert added.description.startswith("Cisco IOS 12.2(15) and earlier")
    assert len(added.references) == 2


def test_of_vulnrichment_only_what_cisa_adds_is_taken(tmp_path: Path) -> None:
    members = {"CVE-2023-0002.json": PLAIN, "CVE-2004-1464.json": ADDED}
    assert list(cve.parse_additions(archive(tmp_path, members))) == [CISA]


def changed(content: bytes, **fields: Any) -> bytes:
    record = json.loads(content)
    for path, value in fields.items():
        *outer, last = path.split("__")
        inner = record
        for key in outer:
            inner = inner[key]
        inner[last] = value
    return json.dumps(record).encode()


def test_rejected_and_disputed_are_kept_as_what_they_are(tmp_path: Path) -> None:
    members = {
        "CVE-2023-0002.json": changed(PLAIN, cveMetadata__state="REJECTED"),
        "CVE-2023-0003.json": changed(PLAIN, containers__cna__tags=["disputed"]),
    }
    rejected, disputed = cve.parse(archive(tmp_path, members))
    assert (rejected.rejected, rejected.disputed) == (True, False)
    assert (disputed.rejected, disputed.disputed) == (False, True)


@pytest.mark.parametrize(
    "broken",
    [
        changed(PLAIN, dataVersion="4.0"),
        changed(PLAIN, dataType="CVE"),
        changed(PLAIN, cveMetadata__cveId="CVE-2023-2/../x"),
        changed(PLAIN, containers={}),
        changed(PLAIN, containers__cna__metrics={"a": 1}),
        PLAIN[:-10],
        b"",
    ],
)
def test_one_broken_record_refuses_the_archive(tmp_path: Path, broken: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"list\.zip"):
        list(
            cve.parse(
                archive(tmp_path, {"CVE-2004-1464.json": ADDED, "CVE-2023-0002.json": broken})
            )
        )


def test_an_archive_without_records_is_not_the_list_but_may_be_a_quiet_hour(
    tmp_path: Path,
) -> None:
    with pytest.raises(UnreadableError, match="holds no CVE record"):
        list(cve.parse(archive(tmp_path, {"README.json": b"{}"})))
    assert list(cve.parse(archive(tmp_path, {}, partial=True))) == []


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(ADDED))
def test_a_damaged_record_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    try:
        (record,) = cve.parse(archive(tmp_path, {"CVE-2004-1464.json": content}))
    except UnreadableError:
        return
    assert record.cve.startswith("CVE-")


WHOLE = "archive/refs/heads/main.tar.gz"
DOWNLOAD = "releases/download/cve_"


def over(day: str) -> str:
    return f"{DOWNLOAD}{day}_at_end_of_day/{day}_delta_CVEs_at_end_of_day.zip"


def at(day: str, hour: str) -> str:
    return f"{DOWNLOAD}{day}_{hour}Z/{day}_delta_CVEs_at_{hour}Z.zip"


def fetched(tmp_path: Path, since: datetime | None, *there: str) -> dict[str, bool]:
    shelf = Shelf(tmp_path, dict.fromkeys(there, b""), since=since)
    return {file.name: file.partial for file in cve.fetch(shelf, now=lambda: NOW)}


def test_after_the_first_sync_only_releases_of_changes_are_fetched(tmp_path: Path) -> None:
    assert fetched(tmp_path, None, WHOLE) == {WHOLE: False}
    days = (over("2026-02-28"), over("2026-03-01"), at("2026-03-02", "1100"))
    assert fetched(tmp_path, NOW - timedelta(days=2), *days, WHOLE) == dict.fromkeys(days, True)
    assert fetched(tmp_path, NOW - timedelta(hours=1), *days) == {days[2]: True}


def test_where_changes_are_missing_the_whole_list_is_fetched(tmp_path: Path) -> None:
    since, hour = NOW - timedelta(days=2), at("2026-03-02", "1200")
    assert fetched(tmp_path, since, over("2026-03-01"), hour, WHOLE) == {WHOLE: False}
    assert fetched(tmp_path, NOW, at("2026-03-02", "0600"), WHOLE) == {WHOLE: False}
    assert fetched(tmp_path, NOW - timedelta(days=40), hour, WHOLE) == {WHOLE: False}


@pytest.mark.parametrize(
    ("now", "since", "there"),
    [
        (datetime(2026, 3, 2, 12, 1, tzinfo=UTC), NOW, at("2026-03-02", "0700")),
        (datetime(2026, 3, 3, 0, 5, tzinfo=UTC), NOW, over("2026-03-02")),
        (datetime(2026, 3, 3, 0, 5, tzinfo=UTC), NOW, at("2026-03-02", "2300")),
        (
            datetime(2026, 3, 3, 0, 40, tzinfo=UTC),
            datetime(2026, 3, 3, 0, 1, tzinfo=UTC),
            over("2026-03-02"),
        ),
    ],
)
def test_a_late_release_is_no_failure(
    tmp_path: Path, now: datetime, since: datetime, there: str
) -> None:
    shelf = Shelf(tmp_path, {there: b""}, since=since)
    assert [file.name for file in cve.fetch(shelf, now=lambda: now)] == [there]
