"""Alpine's secdb: fixes by release and source package, and the files that its index lists."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.feeds import alpine
from suture.feeds.feed import FeedError, FeedFile
from suture.reading import UnreadableError

RECORDED = Path(__file__).parents[2] / "recorded/feeds/alpine"
DATA = Path(os.environ.get("SUTURE_TEST_DATA", Path(__file__).parents[4] / "shared/data"))

INDEX = """<html><head><title>Index of /</title></head><body><h1>Index of /</h1><hr><pre>
<a href="../">../</a>
<a href="edge/">edge/</a>             01-Oct-2026 00:00       -
<a href="v3.2/">v3.2/</a>             01-Oct-2026 00:00       -
<a href="v3.20/">v3.20/</a>           01-Oct-2026 00:00       -
<a href="last-update">last-update</a> 01-Oct-2026 00:00      20
</pre></body></html>"""


class Served:
    """A source that has what it is given."""

    since: datetime | None = None

    def __init__(self, directory: Path, files: dict[str, str]) -> None:
        self.directory, self.files = directory, files

    def get(self, name: str, **_: Any) -> FeedFile:
        if name not in self.files:
            raise FeedError(f"{name} is not here")
        path = self.directory / (name.replace("/", "-") or "index")
        path.write_text(self.files[name])
        return FeedFile(name, str(path))


def read(tmp_path: Path, secfixes: object, version: str = "v3.18") -> list[Advisory]:
    content = {
        "distroversion": version,
        "packages": [{"pkg": {"name": "curl", "secfixes": secfixes}}],
    }
    path = tmp_path / "main.json"
    path.write_text(json.dumps(content))
    return list(alpine.parse(FeedFile("v3.18/main.json", str(path))))


def test_fixes_as_advisories() -> None:
    path = RECORDED / "v3.16-main.json"
    assert list(alpine.parse(FeedFile("v3.16/main.json", str(path)))) == [
        Advisory(
            id=cve,
            publisher="alpine",
            cves=(cve,),
            affected=(Affected("alpine:3.16", "apache2", FixState.FIXED, fixed=fixed),),
            url=f"https://security.alpinelinux.org/vuln/{cve}",
        )
        for cve, fixed in (("CVE-2017-9798", "2.4.27-r1"), ("CVE-2018-11763", "2.4.35-r0"))
    ]


def test_edge_is_a_release() -> None:
    path = RECORDED / "edge-community.json"
    advisories = list(alpine.parse(FeedFile("edge/community.json", str(path))))
    assert len(advisories) == 8
    assert {one.release for each in advisories for one in each.affected} == {"alpine:edge"}


def test_version_0_is_not_affected(tmp_path: Path) -> None:
    [advisory] = read(tmp_path, {"0": ["CVE-2024-1000"]})
    assert advisory.affected == (Affected("alpine:3.18", "curl", FixState.NOT_AFFECTED),)


def test_a_version_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    [advisory] = read(tmp_path, {"8.0 or so": ["CVE-2024-1000"]})
    [affected] = advisory.affected
    assert affected.state is FixState.UNDER_INVESTIGATION
    assert affected.note == "the fixed version cannot be read: 8.0 or so"


def test_entries_may_name_several_ids_and_say_more(tmp_path: Path) -> None:
    issues = ["CVE-2024-1000 CVE-2024-1001 (both)", "XSA-213 a note", "CVE-2024-1000", " "]
    advisories = read(tmp_path, {"8.0-r0": issues, "8.1-r0": None})
    assert [one.id for one in advisories] == ["CVE-2024-1000", "CVE-2024-1001", "XSA-213"]
    assert [len(one.affected) for one in advisories] == [1, 1, 1]


@pytest.mark.parametrize("version", ["", "3.18", "v3", "v3.18\n", "latest-stable"])
def test_a_file_of_no_release_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(UnreadableError, match=r"v3\.18/main\.json"):
        read(tmp_path, {}, version)


@pytest.mark.parametrize("secfixes", [[], {"1": "CVE"}, {"1": [1]}])
def test_a_broken_file_is_refused(tmp_path: Path, secfixes: object) -> None:
    with pytest.raises(UnreadableError, match=r"v3\.18/main\.json"):
        read(tmp_path, secfixes)


EXPECTED = [
    "edge/main.json",
    "edge/community.json",
    "v3.2/main.json",
    "v3.20/main.json",
    "v3.20/community.json",
]


@pytest.mark.parametrize("index", ["", "index.html"])
def test_the_files_are_those_of_the_releases_that_the_index_lists(
    tmp_path: Path, index: str
) -> None:
    source = Served(tmp_path, {index: INDEX} | dict.fromkeys(EXPECTED, "{}"))
    assert [file.name for file in alpine.fetch(source)] == EXPECTED


def test_an_index_without_releases_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="lists no release"):
        alpine.fetch(Served(tmp_path, {"": "<html>Maintenance</html>"}))


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data are not here")
def test_the_real_samples_are_read() -> None:
    paths = sorted((DATA / "feed-samples/alpine/secdb").glob("*/*.json"))
    named = {
        (one.release, one.package)
        for path in paths
        for advisory in alpine.parse(FeedFile(path.name, str(path)))
        for one in advisory.affected
    }
    assert named == {
        ("alpine:edge", "advancecomp"),
        ("alpine:edge", "aom"),
        ("alpine:3.16", "advancecomp"),
        ("alpine:3.16", "apache2"),
        ("alpine:3.2", "bash"),
    }
