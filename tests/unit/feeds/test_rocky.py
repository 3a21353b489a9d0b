"""Rocky Linux's OSV advisories and the pages of its errata service."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from suture.core.intelligence.advisories import Advisory, Severity
from suture.feeds import rocky
from suture.feeds.feed import FeedError
from suture.reading import UnreadableError
from tests.unit.feeds.recorded import (
    RECORDED,
    Pretended,
    about,
    read_or_refused,
    recorded,
    spoiled,
    written,
)

PAGE = RECORDED / "rocky/page1.json"


def changed(tmp_path: Path, page: str, **fields: Any) -> list[Advisory]:
    """A recorded page, with some fields of its advisory changed."""
    content = json.loads((RECORDED / "rocky" / page).read_text())
    content["advisories"][0] |= fields
    return list(rocky.parse_errata(written(tmp_path / "page", json.dumps(content).encode())))


def test_errata() -> None:
    (advisory,) = rocky.parse_errata(recorded("rocky/page1.json"))
    assert (advisory.id, advisory.cves) == ("RLSA-2025:21816", ("CVE-2025-58183",))
    assert (advisory.severity, str(advisory.published)) == (Severity.MEDIUM, "2025-11-27")
    assert advisory.url == "https://errata.rockylinux.org/RLSA-2025:21816"
    assert [(one.release, one.fixed, one.archs) for one in about(advisory, "delve")] == [
        ("rocky:10", "1.25.2-1.el10_1", ())
    ]
    assert not about(advisory, "delve-debuginfo")


def test_an_erratum_about_no_vulnerability_is_passed_over() -> None:
    assert list(rocky.parse_errata(recorded("rocky/page2.json"))) == []


def test_errata_name_streams_and_epochs(tmp_path: Path) -> None:
    (advisory,) = changed(tmp_path, "page2.json", cves=[{"cve": "CVE-2019-1000"}])
    assert {(one.release, one.module, one.fixed) for one in about(advisory, "oci-umount")} == {
        (
            "rocky:8",
            "container-tools:1.0",
            "2:2.3.4-2.git87f9237.module+el8.4.0+557+48ba8b2f",
        )
    }


@pytest.mark.parametrize(
    ("product", "found"),
    [
        ("Rocky Linux 9 x86_64", ("rocky:9", "")),
        ("Rocky Linux 8.6 x86_64 (Legacy)", ("rocky:8", "")),
        ("Rocky Linux SIG Cloud 8 x86_64", ("rocky:8", "sig-cloud")),
    ],
)
def test_products_are_releases(tmp_path: Path, product: str, found: tuple[str, str]) -> None:
    packages = [{"nevra": "bash-0:5-1.el9.x86_64.rpm", "product_name": product}]
    (advisory,) = changed(tmp_path, "page1.json", packages=packages)
    assert [(one.release, one.channel) for one in advisory.affected] == [found]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "NOT-AN-ID"},
        {"packages": [{"nevra": "bash", "product_name": "Rocky Linux 9 x86_64"}]},
        {"packages": None},
    ],
)
def test_broken_errata_are_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        changed(tmp_path, "page1.json", **fields)


def test_pages_are_fetched_until_the_last(tmp_path: Path) -> None:
    last = tmp_path / "last"
    last.write_text('{"advisories": []}')
    first, second = "?page=1&size=100", "?page=2&size=100"
    source = Pretended({first: PAGE, second: last})
    assert [(one.name, one.partial) for one in rocky.fetch_errata(source)] == [
        (first, True),
        (second, True),
    ]


def test_later_only_what_is_newer_is_asked_for() -> None:
    source = Pretended({}, since=datetime(2026, 3, 5, 12, tzinfo=UTC))
    with pytest.raises(FeedError):
        rocky.fetch_errata(source)
    assert source.asked == ["?page=1&size=100&after=2026-03-03T00%3A00%3A00"]


def test_osv_tells_the_archives_of_interest_groups() -> None:
    advisories = {one.id: one for one in rocky.parse_osv(recorded("rocky/osv.zip"))}
    (kernel,) = about(advisories["RXSA-2023:0101"], "kernel")
    assert (kernel.release, kernel.channel) == ("rocky:8", "sig-cloud")
    (bcel,) = about(advisories["RLSA-2023:0005"], "bcel")
    assert (bcel.release, bcel.channel, bcel.fixed) == ("rocky:9", "", "6.4.1-9.el9_1")


@given(spoiled(PAGE.read_bytes()))
def test_spoiled_pages_are_read_or_refused(data: bytes) -> None:
    read_or_refused(rocky.parse_errata, data, "?page=1")


@given(spoiled((RECORDED / "rocky/osv.zip").read_bytes()))
def test_spoiled_archives_are_read_or_refused(data: bytes) -> None:
    read_or_refused(rocky.parse_osv, data, "all.zip")
