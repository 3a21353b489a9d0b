"""Fedora's and EPEL's updates."""

from __future__ import annotations

from pathlib import Path

import pytest

from suture.core.intelligence.advisories import Advisory, Severity
from suture.feeds import fedora
from suture.feeds.feed import Feed, FeedFile
from tests.unit.feeds.recorded import RECORDED, written

FEEDS = {feed.name: feed for feed in fedora.FEEDS}


def read(feed: Feed, *parts: Path) -> list[Advisory]:
    files = tuple(FeedFile(name=one.name, path=str(one)) for one in parts)
    assert feed.parse is not None
    found = list(feed.parse(FeedFile(name="repomd.xml", path="", parts=files)))
    assert all(isinstance(one, Advisory) for one in found)
    return [one for one in found if isinstance(one, Advisory)]


def test_what_is_no_security_update_and_names_no_cve_is_passed_over() -> None:
    (updates,) = (RECORDED / "fedora/43").glob("*updateinfo*")
    assert read(FEEDS["fedora-43"], updates) == []


def test_cves_are_in_the_titles_of_bugs() -> None:
    (advisory,) = read(FEEDS["fedora-43"], *(RECORDED / "fedora/38").glob("*updateinfo*"))
    assert advisory.id == "FEDORA-MODULAR-2024-deafa21e1d"
    assert advisory.cves == ("CVE-2024-24989", "CVE-2024-24990")
    assert advisory.severity is Severity.HIGH


EPEL = b"""<updates><update type="security"><id>FEDORA-EPEL-2025-1a2b3c4d5e</id>
<title>zabbix-7.0-1.el9</title><severity>Moderate</severity>
<description>Fix for CVE-2025-1234</description>
<pkglist><collection short="EL-9"><package name="zabbix" version="7.0" release="1.el9" epoch="0"
arch="x86_64"/></collection></pkglist></update></updates>"""


def test_epel_is_an_archive_apart_of_every_release_that_uses_it(tmp_path: Path) -> None:
    written(tmp_path / "updateinfo.xml", EPEL)
    (advisory,) = read(FEEDS["epel-9"], tmp_path / "updateinfo.xml")
    assert advisory.cves == ("CVE-2025-1234",)
    assert {one.channel for one in advisory.affected} == {"epel"}
    assert {one.release for one in advisory.affected} == {
        "rhel:9",
        "almalinux:9",
        "rocky:9",
        "ol:9",
        "centos:9",
    }


@pytest.mark.parametrize("feed", fedora.FEEDS, ids=lambda feed: feed.name)
def test_feeds_are_had_from_fedora(feed: Feed) -> None:
    assert feed.url == "https://dl.fedoraproject.org/pub/"
