"""SUSE's VEX documents and OSV advisories."""

from __future__ import annotations

import pytest
from hypothesis import given

from suture.core.intelligence.advisories import FixState, Severity
from suture.feeds import suse
from tests.unit.feeds.recorded import RECORDED, about, read_or_refused, recorded, spoiled

VEX = "suse/cve-2023-5568.json"


def test_a_recommended_version_is_the_fix() -> None:
    (advisory,) = suse.parse_vex(recorded(VEX))
    assert (advisory.id, advisory.severity) == ("CVE-2023-5568", Severity.MEDIUM)
    assert advisory.url == "https://www.suse.com/security/cve/CVE-2023-5568.html"
    fixed = {
        (one.release, one.package): one.fixed
        for one in advisory.affected
        if one.state is FixState.FIXED
    }
    assert fixed["opensuse-tumbleweed:", "ctdb"] == "4.19.2+git.322.7e9201cef5-1.1"
    assert fixed["sl-micro:6.0", "samba-client-libs"] == "4.19.4+git.339.acf1ccaa02-1.22"


def test_what_is_not_affected_is_said_so() -> None:
    (advisory,) = suse.parse_vex(recorded(VEX))
    clients = {
        (one.release, one.channel): one.state for one in about(advisory, "samba-client-libs")
    }
    assert clients["sles:15.5", ""] is FixState.NOT_AFFECTED
    assert clients["sles:15.3", "ltss"] is FixState.NOT_AFFECTED


def test_a_document_about_no_product_says_nothing() -> None:
    assert list(suse.parse_vex(recorded("suse/cve-1999-0003.json"))) == []


@pytest.mark.parametrize(
    ("product", "place"),
    [
        ("SUSE Linux Enterprise Server 15 SP5", ("sles:15.5", "")),
        ("SUSE Linux Enterprise Server 12 SP4-LTSS", ("sles:12.4", "ltss")),
        ("SUSE Linux Enterprise Server 11 SP4 LTSS", ("sles:11.4", "ltss")),
        ("SUSE Linux Enterprise Module for Basesystem 15 SP5", ("sles:15.5", "")),
        ("SUSE Linux Enterprise Micro 5.5", ("sle-micro:5.5", "")),
        ("SUSE Linux Micro 6.1", ("sl-micro:6.1", "")),
        ("openSUSE Leap 15.5", ("opensuse-leap:15.5", "")),
        ("openSUSE Tumbleweed", ("opensuse-tumbleweed:", "")),
        ("SUSE Enterprise Storage 7.1", None),
        ("SUSE Manager Server 4.2", None),
        ("openSUSE", None),
    ],
)
def test_products_are_releases_and_channels(product: str, place: tuple[str, str] | None) -> None:
    assert suse.place(product, "") == place


def test_osv_names_binary_packages() -> None:
    advisories = {one.id: one for one in suse.parse_osv(recorded("suse/osv.tar.bz2"))}
    chromium = advisories["openSUSE-SU-2016:1623-1"]
    assert {one.package for one in chromium.affected} >= {"chromium", "chromedriver", "libImlib2-1"}
    assert {(one.release, one.channel) for one in chromium.affected} == {("sles:12", "package-hub")}


@given(spoiled((RECORDED / VEX).read_bytes()))
def test_spoiled_documents_are_read_or_refused(data: bytes) -> None:
    read_or_refused(suse.parse_vex, data, "cve-2023-5568.json")


@given(spoiled((RECORDED / "suse/osv.tar.bz2").read_bytes()))
def test_spoiled_archives_are_read_or_refused(data: bytes) -> None:
    read_or_refused(suse.parse_osv, data, "osv.tar.bz2")
