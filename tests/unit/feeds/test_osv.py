"""OSV documents: each publisher's real ones as advisories, and what is broken refused whole."""

from __future__ import annotations

import json
import os
import tarfile
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.feeds import osv
from suture.feeds.feed import FeedFile
from suture.reading import UnreadableError

RECORDED = Path(__file__).parents[2] / "recorded/feeds/osv"
DATA = Path(os.environ.get("SUTURE_TEST_DATA", Path(__file__).parents[4] / "shared/data"))


def read(name: str, publisher: str = "someone") -> Advisory:
    advisory = osv.parse((RECORDED / name).read_bytes(), publisher=publisher, name=name)
    assert advisory is not None
    return advisory


def said(*affected: dict[str, Any], **fields: Any) -> Advisory | None:
    document = {"id": "X-1", "affected": affected, **fields}
    return osv.parse(json.dumps(document).encode(), publisher="someone", name="x.json")


def package(*events: dict[str, str], **fields: Any) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": events}] if events else []
    return {"package": {"ecosystem": "Debian:12", "name": "curl"}, "ranges": ranges, **fields}


def test_an_advisory_of_almalinux() -> None:
    assert read("ALSA-2023-7465.json", "almalinux") == Advisory(
        id="ALSA-2023:7465",
        publisher="almalinux",
        cves=("CVE-2023-5824",),
        affected=(
            Affected(
                release="almalinux:9",
                package="squid",
                state=FixState.FIXED,
                fixed="7:5.5-6.el9_3.2",
            ),
        ),
        severity=Severity.HIGH,
        published=date(2023, 11, 22),
        modified=date(2023, 11, 23),
        summary="Important: squid security update",
        url="https://access.redhat.com/errata/RHSA-2023:7465",
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RXSA-2023-0101.json", ("rocky:8", "sig-cloud", "kernel", "4.18.0-425.10.1.el8_7.cloud")),
        ("RHSA-2024-8709.json", ("rhel:9", "eus-9.2", "podman", "2:4.4.1-21.el9_2")),
        ("DLA-0001-1.json", ("debian:6", "", "gnutls26", "2.8.6-1+squeeze4")),
        ("ALPINE-CVE-2023-46850.json", ("alpine:3.18", "", "openvpn", "2.6.7-r0")),
        (
            "UBUNTU-CVE-2024-51988.json",
            ("ubuntu:20.04", "", "rabbitmq-server", "3.8.3-0ubuntu0.1"),
        ),
        (
            "LSN-0108-1.json",
            ("ubuntu:14.04", "esm-infra-legacy", "linux-lts-xenial", "4.4.0-267.301~14.04.1"),
        ),
        (
            "openSUSE-SU-2016-1623-1.json",
            ("sles:12", "package-hub", "chromedriver", "51.0.2704.103-85.3"),
        ),
    ],
)
def test_every_publisher_s_release_and_version(
    name: str, expected: tuple[str, str, str, str]
) -> None:
    first = read(name).affected[0]
    assert (first.release, first.channel, first.package, first.fixed) == expected


def test_suse_names_binary_packages_beside_the_source() -> None:
    assert [one.package for one in read("SUSE-SU-403.json").affected] == ["libqt4", "libqt4-32bit"]


def test_the_cve_is_found_wherever_it_is_named() -> None:
    assert read("UBUNTU-CVE-2024-51988.json").cves == ("CVE-2024-51988",)
    assert read("ALPINE-CVE-2023-46850.json").cves == ("CVE-2023-46850",)
    upstream = said(package(), upstream=["CVE-2024-0001"], related=["CVE-2024-9999"])
    assert upstream is not None
    assert upstream.cves == ("CVE-2024-0001",)


def test_ubuntu_s_priority_is_its_severity() -> None:
    assert {one.severity for one in read("UBUNTU-CVE-2024-51988.json").affected} == {
        Severity.MEDIUM
    }


STATES: list[tuple[dict[str, Any], list[tuple[FixState, str, str | None]]]] = [
    (package({"introduced": "0"}), [(FixState.AFFECTED, "", None)]),
    (package({"introduced": "0"}, {"fixed": "7.1-1"}), [(FixState.FIXED, "", "7.1-1")]),
    (package({"introduced": "5-1"}, {"fixed": "7-1"}), [(FixState.FIXED, "5-1", "7-1")]),
    (
        package({"introduced": "0"}, {"fixed": "5-1"}, {"introduced": "6-1"}, {"fixed": "7-1"}),
        [(FixState.FIXED, "", "5-1"), (FixState.FIXED, "6-1", "7-1")],
    ),
    (package({"introduced": "0"}, {"last_affected": "7-1"}), [(FixState.AFFECTED, "", None)]),
    (package({"introduced": "0"}, {"fixed": "0"}), [(FixState.NOT_AFFECTED, "", None)]),
    (package(versions=["7-1", "7-2"]), [(FixState.AFFECTED, "", None)]),
    (package(), [(FixState.UNDER_INVESTIGATION, "", None)]),
]


@pytest.mark.parametrize(("affected", "expected"), STATES)
def test_ranges_are_fix_states(
    affected: dict[str, Any], expected: list[tuple[FixState, str, str | None]]
) -> None:
    advisory = said(affected)
    assert advisory is not None
    assert [(one.state, one.introduced, one.fixed) for one in advisory.affected] == expected


def test_what_cannot_be_a_state_stays_as_a_note() -> None:
    advisory = said(package({"introduced": "0"}, {"last_affected": "7-1"}))
    assert advisory is not None
    assert "7-1 is the last version affected" in advisory.affected[0].note


def test_a_withdrawn_and_a_disputed_advisory() -> None:
    advisory = said(
        package(), withdrawn="2024-02-03T04:05:06Z", details="** DISPUTED ** Not a bug.\n\x1b[2J"
    )
    assert advisory is not None
    assert advisory.withdrawn == date(2024, 2, 3)
    assert advisory.disputed
    assert advisory.summary == "** DISPUTED ** Not a bug. [2J"


def test_packages_of_languages_are_passed_over() -> None:
    wheel = {"package": {"ecosystem": "PyPI", "name": "jinja2"}}
    assert said(wheel) is None
    advisory = said(wheel, package({"introduced": "0"}))
    assert advisory is not None
    assert [one.package for one in advisory.affected] == ["curl"]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"invalid",
        b"[]",
        b'{"affected": []}',
        b'{"id": " ", "affected": [{"package": {"ecosystem": "Debian:12", "name": "curl"}}]}',
        b'{"id": "X-1", "affected": [{"package": {"ecosystem": "Debian:12", "name": "a\\nb"}}]}',
        b'{"id": "X-1", "affected": ' + b"[" * 100_000,
    ],
)
def test_what_is_broken_is_refused(broken: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"x\.json"):
        osv.parse(broken, publisher="someone", name="x.json")


def test_archives_and_single_files_are_read_alike(tmp_path: Path) -> None:
    single = RECORDED / "ALSA-2023-7465.json"
    tar, zipped = tmp_path / "all.tar.xz", tmp_path / "all.zip"
    with tarfile.open(tar, "w:xz") as archive:
        archive.add(single, "osv/ALSA-2023-7465.json")
    with zipfile.ZipFile(zipped, "w") as pack:
        pack.write(single, "osv/ALSA-2023-7465.json")
        pack.writestr("README.md", "not an advisory")
    expected = [read(single.name, "almalinux")]
    parse = osv.parser("almalinux")
    for path in (single, tar, zipped):
        assert list(parse(FeedFile(path.name, str(path)))) == expected


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data are not here")
def test_all_of_almalinux_is_read() -> None:
    path = DATA / "almalinux-osv-2026-08-21.tar.gz"
    advisories = list(osv.parser("almalinux")(FeedFile(path.name, str(path))))
    assert len(advisories) == 5680
    affected = [one for each in advisories for one in each.affected]
    assert len(affected) > 71_000
    assert {one.release for one in affected} == {"almalinux:8", "almalinux:9", "almalinux:10"}
    assert {one.state for one in affected} == {FixState.FIXED}
    [thunderbird] = [one for one in advisories if one.id == "ALSA-2022:6708"]
    assert (thunderbird.severity, len(thunderbird.cves)) == (Severity.HIGH, 10)
