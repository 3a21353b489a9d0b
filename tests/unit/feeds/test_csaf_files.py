"""First an archive, later what has changed; nothing is lost in between."""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from suture.feeds import csaf_files
from suture.feeds.csaf_files import documents, fetch_changes
from suture.feeds.feed import FeedError
from suture.reading import UnreadableError
from tests.unit.feeds.recorded import RECORDED, Pretended

NAME = "vex_2024-08-11.tar.gz"
LOG = """\
"2024/cve-2024-0003.json","2024-08-13T10:00:00+00:00"
"2024/cve-2024-0002.json","2024-08-12T10:00:00+00:00"
"2024/cve-2024-0001.json","2024-08-01T10:00:00+00:00"
"2024/rhsa-2024_0001.json","2024-08-13T10:00:00+00:00"
"""
GONE = """\
"2024/cve-2024-0004.json","2024-08-12T11:00:00+00:00"
"2024/cve-2024-0003.json","2024-08-02T10:00:00+00:00"
"""
fetch = fetch_changes(lambda source: NAME, deletions=True)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """An archive of four documents, of which two have changed since and one is gone."""
    paths = {}
    for number in range(1, 5):
        name = f"2024/cve-2024-000{number}.json"
        paths[name] = tmp_path / f"{number}.json"
        paths[name].write_text(f"old {number}")
    with tarfile.open(tmp_path / NAME, "w:gz") as archive:
        for name, path in paths.items():
            archive.add(path, name)
    for number in (2, 3):
        (tmp_path / f"{number}.json").write_text(f"new {number}")
    (tmp_path / "changes").write_text(LOG)
    (tmp_path / "deletions").write_text(GONE)
    return paths | {
        NAME: tmp_path / NAME,
        "changes.csv": tmp_path / "changes",
        "deletions.csv": tmp_path / "deletions",
    }


def test_at_first_the_archive_with_what_is_newer(files: dict[str, Path]) -> None:
    (archive,) = fetch(Pretended(files))
    assert (archive.name, archive.partial) == (NAME, False)
    assert dict(documents(archive)) == {
        "2024/cve-2024-0001.json": b"old 1",
        "2024/cve-2024-0002.json": b"new 2",
        "2024/cve-2024-0003.json": b"new 3",
    }


def test_later_what_has_changed_and_what_is_gone(files: dict[str, Path]) -> None:
    source = Pretended(files, since=datetime(2024, 8, 12, 10, 30, tzinfo=UTC))
    log, *changed = fetch(source)
    assert (log.partial, log.removed) == (True, ("CVE-2024-0004",))
    assert list(documents(log)) == []
    assert [(one.name, one.partial) for one in changed] == [
        ("2024/cve-2024-0002.json", True),  # within the overlap
        ("2024/cve-2024-0003.json", True),
    ]
    assert NAME not in source.asked


def test_what_came_back_after_its_deletion_is_not_gone(files: dict[str, Path]) -> None:
    log, *_ = fetch(Pretended(files, since=datetime(2024, 1, 1, tzinfo=UTC)))
    assert "CVE-2024-0003" not in log.removed


def test_after_many_changes_the_archive_is_the_shorter_way(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csaf_files, "_MAX_CHANGES", 2)
    (archive,) = fetch(Pretended(files, since=datetime(2024, 1, 1, tzinfo=UTC)))
    assert (archive.name, len(archive.parts)) == (NAME, 2)


def test_an_archive_without_a_date_is_some_days_old(files: dict[str, Path]) -> None:
    files["all.tar.gz"] = files[NAME]
    (archive,) = fetch_changes(lambda source: "all.tar.gz")(Pretended(files))
    assert len(archive.parts) == 2


def test_documents_are_held_against_their_hashes(files: dict[str, Path], tmp_path: Path) -> None:
    fetch = fetch_changes(lambda source: NAME, hashes=True)
    for number in (2, 3):
        name = f"2024/cve-2024-000{number}.json"
        digest = sha256(files[name].read_bytes()).hexdigest()
        files[name + ".sha256"] = tmp_path / f"{number}.sha256"
        files[name + ".sha256"].write_text(f"{digest}  /somewhere//{name}\n")
    (archive,) = fetch(Pretended(files))
    assert len(archive.parts) == 2

    files["2024/cve-2024-0003.json"].write_text("tampered with")
    with pytest.raises(FeedError):
        fetch(Pretended(files))
    (tmp_path / "3.sha256").write_text("no hash")
    with pytest.raises(UnreadableError, match="names no SHA-256"):
        fetch(Pretended(files))


def test_an_archive_is_held_against_the_hash_beside_it(
    files: dict[str, Path], tmp_path: Path
) -> None:
    listed = files[NAME + ".sha256"] = tmp_path / "archive.sha256"
    listed.write_text(f"{sha256(files[NAME].read_bytes()).hexdigest()}  {NAME}\n")
    (archive,) = fetch(Pretended(files))
    assert archive.name == NAME
    listed.write_text(f"{'0' * 64}  {NAME}\n")
    with pytest.raises(FeedError):
        fetch(Pretended(files))


def test_where_documents_have_no_hashes_one_is_asked_for(files: dict[str, Path]) -> None:
    source = Pretended(files)
    fetch(source)
    asked = [name for name in source.asked if name.endswith(".json.sha256")]
    assert asked == ["2024/cve-2024-0002.json.sha256"]


def test_a_document_without_its_hash_is_refused_where_all_have_one(files: dict[str, Path]) -> None:
    with pytest.raises(FeedError, match="no hash for 2024/cve-2024-0002"):
        fetch_changes(lambda source: NAME, hashes=True)(Pretended(files))


@pytest.mark.parametrize(
    "text",
    [
        *('"a","b","c"\n', '"a\n', "<html>", "\xff"),
        '"2024/cve-2024-0001.json","some day"\n',
        '"2024/cve-2024-0001.json","0001-01-01T00:00:00+00:00"\n',
    ],
)
def test_lists_that_are_none_are_refused(files: dict[str, Path], text: str) -> None:
    files["changes.csv"].write_bytes(text.encode("latin-1"))
    with pytest.raises(UnreadableError):
        fetch(Pretended(files))


def test_paths_that_lead_elsewhere_are_not_asked_for(files: dict[str, Path]) -> None:
    files["changes.csv"].write_text('"../../secret/cve-2024-0001.json","2024-08-13T10:00:00Z"\n')
    (archive,) = fetch(Pretended(files))
    assert archive.parts == ()


def test_the_recorded_lists(files: dict[str, Path]) -> None:
    files |= {one: RECORDED / "redhat" / one for one in ("changes.csv", "deletions.csv")}
    log, *changed = fetch(Pretended(files, since=datetime(2024, 1, 1, tzinfo=UTC)))
    assert (log.removed, changed) == ((), [])  # they list advisories alone, not CVEs
