"""AlmaLinux's three formats, on recorded files and on all of its OSV advisories."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given

from suture.core.intelligence.advisories import Affected, FixState, Severity, rules
from suture.feeds import almalinux
from suture.feeds.feed import FeedFile
from suture.feeds.rpm import UNKNOWN_STREAM
from suture.reading import UnreadableError
from tests.unit.feeds.recorded import (
    RECORDED,
    SHARED,
    about,
    read_or_refused,
    recorded,
    spoiled,
    written,
)

ERRATA = "8/errata.full.json"
OSV = SHARED / "almalinux-osv-2026-08-21.tar.gz"


def test_errata_name_streams_architectures_and_days() -> None:
    (advisory,) = almalinux.parse_errata(recorded("almalinux/errata.full.json", ERRATA))
    assert (advisory.id, advisory.severity) == ("ALSA-2019:3708", Severity.MEDIUM)
    assert advisory.cves[0] == "CVE-2019-2510"
    assert advisory.published == date(2019, 11, 5)
    assert advisory.url == "https://errata.almalinux.org/8/ALSA-2019-3708.html"
    assert about(advisory, "Judy")[0] == Affected(
        release="almalinux:8",
        package="Judy",
        state=FixState.FIXED,
        fixed="1.0.5-18.module_el8.5.0+2632+14ced695",
        module="mariadb:10.3",
        archs=("x86_64",),
    )


def test_an_erratum_about_no_vulnerability_is_passed_over() -> None:
    text = (RECORDED / "almalinux/errata.full.json").read_text()
    assert "ALBA-2021:3049" in text
    advisories = almalinux.parse_errata(recorded("almalinux/errata.full.json", ERRATA))
    assert [one.id for one in advisories] == ["ALSA-2019:3708"]


def test_osv_names_binary_packages_with_epochs() -> None:
    advisories = {one.id: one for one in almalinux.parse_osv(recorded("almalinux/osv.zip"))}
    assert about(advisories["ALSA-2023:7465"], "squid")[0].fixed == "7:5.5-6.el9_3.2"
    kernels = {one.package for one in advisories["ALSA-2023:7549"].affected}
    assert {"kernel", "kernel-core", "kernel-debug", "kernel-modules-extra"} <= kernels


@pytest.mark.parametrize(
    "data", [b"invalid", b"", b"[]", b'{"data": [{"id": "NOT-AN-ID"}]}', b'{"data": [{}]}']
)
def test_broken_errata_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnreadableError):
        list(almalinux.parse_errata(written(tmp_path / "errata", data, ERRATA)))


def test_errata_of_no_release_are_refused() -> None:
    with pytest.raises(UnreadableError, match="not the errata of a release"):
        list(almalinux.parse_errata(recorded("almalinux/errata.full.json", "errata.full.json")))


def test_a_hostile_version_is_refused(tmp_path: Path) -> None:
    errata = json.loads((RECORDED / "almalinux/errata.full.json").read_text())
    errata["data"][1]["packages"][0]["version"] = "1.0\n2"
    with pytest.raises(UnreadableError, match="no package or version"):
        list(almalinux.parse_errata(written(tmp_path / "x", json.dumps(errata).encode(), ERRATA)))


@given(spoiled((RECORDED / "almalinux/errata.full.json").read_bytes()))
def test_spoiled_errata_are_read_or_refused(data: bytes) -> None:
    read_or_refused(almalinux.parse_errata, data, ERRATA)


@given(spoiled((RECORDED / "almalinux/osv.zip").read_bytes()))
def test_spoiled_archives_are_read_or_refused(data: bytes) -> None:
    read_or_refused(almalinux.parse_osv, data, "all.zip")


@pytest.mark.skipif(not OSV.exists(), reason="AlmaLinux's OSV advisories are not beside this tree")
def test_all_advisories_of_almalinux() -> None:
    found = list(almalinux.parse_osv(FeedFile(name=OSV.name, path=str(OSV))))
    assert len(found) == 5680
    assert Counter(one.id[:4] for one in found) == {"ALSA": 4480, "ALBA": 978, "ALEA": 222}

    everything = [affected for one in found for affected in one.affected]
    releases = Counter(one.affected[0].release for one in found)
    assert releases == {"almalinux:8": 3259, "almalinux:9": 1746, "almalinux:10": 675}
    assert {one.state for one in everything} == {FixState.FIXED}

    (update,) = (one for one in found if one.id == "ALSA-2023:5362")
    nodejs = about(update, "nodejs")
    assert [(one.module, one.fixed) for one in nodejs] == [
        ("nodejs:18", "1:18.17.1-1.module_el8.8.0+3613+1ed8c91d")
    ]
    assert {rule.cve for rule in rules(update)} == {
        "CVE-2022-25883",
        "CVE-2023-32006",
        "CVE-2023-32559",
        "CVE-2023-32002",
    }

    modular = [one for one in everything if ".module" in (one.fixed or "")]
    unclear = [one for one in modular if not one.module]
    assert {one.note for one in unclear} == {UNKNOWN_STREAM}
    assert len(unclear) / len(modular) < 0.05
