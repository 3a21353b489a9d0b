"""Red Hat's VEX documents: what each says of a package stays what it is."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.feeds import redhat
from suture.feeds.feed import FeedFile
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

ARCHIVE = SHARED / "feed-samples/redhat/vex/v2/vex-archive.tar.zst"


def read(name: str) -> Advisory:
    (advisory,) = redhat.parse(recorded(f"redhat/{name}.json"))
    return advisory


def test_fixed_and_never_to_be_fixed() -> None:
    advisory = read("cve-2023-6228")
    assert (advisory.id, advisory.cves) == ("CVE-2023-6228", ("CVE-2023-6228",))
    assert (advisory.severity, str(advisory.published)) == (Severity.LOW, "2023-09-07")
    assert advisory.url == "https://access.redhat.com/security/cve/CVE-2023-6228"
    said = {(one.release, one.package, one.by_source): one for one in advisory.affected}
    assert said["rhel:9", "libtiff", False].fixed == "4.4.0-12.el9"
    assert {at: one.state for at, one in said.items() if one.by_source} == {
        ("rhel:6", "libtiff", True): FixState.END_OF_LIFE,
        ("rhel:7", "libtiff", True): FixState.END_OF_LIFE,
        ("rhel:7", "compat-libtiff3", True): FixState.END_OF_LIFE,
        ("rhel:8", "compat-libtiff3", True): FixState.WILL_NOT_FIX,
        ("rhel:8", "libtiff", True): FixState.AFFECTED,
    }


def test_not_affected_says_why() -> None:
    advisory = read("cve-2023-6238")
    assert {one.state for one in advisory.affected} == {FixState.NOT_AFFECTED}
    assert {one.note for one in advisory.affected} == {"vulnerable code not present"}


def test_binary_packages_have_their_epoch_and_stand_for_their_source() -> None:
    advisory = read("cve-2023-6237")
    (libs,) = about(advisory, "openssl-libs")
    assert (libs.release, libs.fixed) == ("rhel:9", "1:3.0.7-27.el9")
    openssl = [one for one in about(advisory, "openssl") if one.state is FixState.FIXED]
    assert [(one.fixed, one.by_source) for one in openssl] == [("1:3.0.7-27.el9", False)]
    (edk2,) = [one for one in about(advisory, "edk2") if one.release == "rhel:9"]
    assert (edk2.state, edk2.by_source) == (FixState.AFFECTED, True)


def test_streams_with_longer_support_are_channels() -> None:
    firefox = [one for one in about(read("cve-2023-6212"), "firefox") if one.release == "rhel:8"]
    assert {one.channel: one.fixed for one in firefox} == {
        "": "115.5.0-1.el8_9",
        "e4s-8.1": "115.5.0-1.el8_1",
        "aus-8.2": "115.5.0-1.el8_2",
        "e4s-8.2": "115.5.0-1.el8_2",
        "tus-8.2": "115.5.0-1.el8_2",
        "aus-8.4": "115.5.0-1.el8_4",
        "e4s-8.4": "115.5.0-1.el8_4",
        "tus-8.4": "115.5.0-1.el8_4",
        "eus-8.6": "115.5.0-1.el8_6",
        "eus-8.8": "115.5.0-1.el8_8",
    }


@pytest.mark.parametrize(
    ("cpe", "place"),
    [
        ("cpe:/o:redhat:enterprise_linux:9::baseos", ("rhel:9", "")),
        ("cpe:/a:redhat:enterprise_linux:8", ("rhel:8", "")),
        ("cpe:/o:redhat:enterprise_linux:10.0", ("rhel:10", "")),
        ("cpe:/a:redhat:rhel_eus:9.2::appstream", ("rhel:9", "eus-9.2")),
        ("cpe:/o:redhat:enterprise_linux_eus:10.0", ("rhel:10", "eus-10.0")),
        ("cpe:/o:redhat:rhel_els:7", ("rhel:7", "els-7")),
        ("cpe:/a:redhat:openshift:4.18::el9", None),
        ("cpe:/a:redhat:jboss_core_services:1", None),
        ("", None),
    ],
)
def test_products_are_releases_and_channels(cpe: str, place: tuple[str, str] | None) -> None:
    assert redhat.place("", cpe) == place


def document(component: str, purl: str, status: str, **vulnerability: Any) -> dict[str, Any]:
    """A document in the form that Red Hat describes for its newer set."""
    id_ = f"rhel-8.10.z:{component}"
    products = [
        ("product_name", "rhel-8.10.z", {"cpe": "cpe:/a:redhat:enterprise_linux:8"}),
        ("product_version", component, {"purl": purl}),
    ]
    branches = [
        {
            "category": category,
            "name": name,
            "product": {"name": name, "product_id": name, "product_identification_helper": helper},
        }
        for category, name, helper in products
    ]
    link = {
        "category": "default_component_of",
        "full_product_name": {"name": id_, "product_id": id_},
        "product_reference": component,
        "relates_to_product_reference": "rhel-8.10.z",
    }
    return {
        "document": {"title": "A flaw", "tracking": {"id": "CVE-2026-1000"}},
        "product_tree": {
            "branches": [{"category": "vendor", "name": "Red Hat", "branches": branches}],
            "relationships": [link],
        },
        "vulnerabilities": [
            {"cve": "CVE-2026-1000", "product_status": {status: [id_]}, **vulnerability}
        ],
    }


def said_of(tmp_path: Path, content: dict[str, Any]) -> Affected:
    data = json.dumps(content).encode()
    (advisory,) = redhat.parse(written(tmp_path / "cve.json", data))
    (affected,) = advisory.affected
    return affected


def test_the_newer_set_names_fixed_source_packages(tmp_path: Path) -> None:
    purl = "pkg:rpm/redhat/libxml2@2.9.13-10.el8_6?arch=src&epoch=0"
    affected = said_of(tmp_path, document("libxml2-0:2.9.13-10.el8_6.src", purl, "fixed"))
    assert affected == Affected(
        "rhel:8", "libxml2", FixState.FIXED, fixed="2.9.13-10.el8_6", by_source=True
    )


def test_a_package_url_names_the_module(tmp_path: Path) -> None:
    purl = (
        "pkg:rpm/redhat/nodejs@18.20.2-1.module%2Bel8.9.0%2B21767%2B537f34ee"
        "?arch=x86_64&epoch=1&rpmmod=nodejs:18:8090020240422142158:a75119d5"
    )
    affected = said_of(tmp_path, document("nodejs", purl, "fixed"))
    assert affected.module == "nodejs:18"
    assert affected.fixed == "1:18.20.2-1.module+el8.9.0+21767+537f34ee"


def test_a_package_may_be_of_a_module_of_a_release(tmp_path: Path) -> None:
    purl = "pkg:rpm/redhat/buildah@1.19.9-1.module%2Bel8.4.0%2B2%2Ba?arch=x86_64"
    content = document("buildah", purl, "fixed")
    module = "container-tools:3.0:8040020240104111259:c0c392d5"
    content["product_tree"]["relationships"].append(
        {
            "full_product_name": {"name": "", "product_id": f"rhel-8.10.z:{module}"},
            "product_reference": module,
            "relates_to_product_reference": "rhel-8.10.z",
        }
    )
    content["product_tree"]["relationships"][0]["relates_to_product_reference"] = (
        f"rhel-8.10.z:{module}"
    )
    assert said_of(tmp_path, content).module == "container-tools:3.0"


@pytest.mark.parametrize(
    ("category", "details", "state", "note"),
    [
        ("no_fix_planned", "Will not fix", FixState.WILL_NOT_FIX, ""),
        ("no_fix_planned", "Out of support scope", FixState.END_OF_LIFE, ""),
        ("none_available", "Fix deferred", FixState.AFFECTED, "Fix deferred"),
        ("none_available", "Affected", FixState.AFFECTED, ""),
        ("workaround", "Turn it off", FixState.AFFECTED, ""),
    ],
)
def test_why_there_is_no_fix(
    tmp_path: Path, category: str, details: str, state: FixState, note: str
) -> None:
    remediation = {
        "category": category,
        "details": details,
        "product_ids": ["rhel-8.10.z:httpd"],
    }
    content = document(
        "httpd", "pkg:rpm/redhat/httpd?arch=src", "known_affected", remediations=[remediation]
    )
    affected = said_of(tmp_path, content)
    assert (affected.state, affected.note) == (state, note)


def test_under_investigation(tmp_path: Path) -> None:
    content = document("httpd", "pkg:rpm/redhat/httpd?arch=src", "under_investigation")
    assert said_of(tmp_path, content).state is FixState.UNDER_INVESTIGATION


def test_disputed_and_rejected(tmp_path: Path) -> None:
    content = document("httpd", "pkg:rpm/redhat/httpd?arch=src", "known_affected")
    content["document"]["tracking"]["current_release_date"] = "2026-05-01T10:00:00+00:00"
    notes = content["vulnerabilities"][0]["notes"] = [{"text": "** DISPUTED ** Not a flaw."}]
    (advisory,) = redhat.parse(written(tmp_path / "a.json", json.dumps(content).encode()))
    assert (advisory.disputed, advisory.withdrawn) == (True, None)
    notes[0]["text"] = "** REJECT ** Not a flaw."
    (advisory,) = redhat.parse(written(tmp_path / "b.json", json.dumps(content).encode()))
    assert str(advisory.withdrawn) == "2026-05-01"


def test_what_is_about_no_release_is_passed_over(tmp_path: Path) -> None:
    content = document("x", "pkg:oci/x@sha256:1?repository_url=quay", "known_affected")
    assert list(redhat.parse(written(tmp_path / "a.json", json.dumps(content).encode()))) == []


def test_relationships_that_go_in_circles_lead_nowhere(tmp_path: Path) -> None:
    content = document("httpd", "pkg:rpm/redhat/httpd?arch=src", "known_affected")
    link = content["product_tree"]["relationships"][0]
    link["relates_to_product_reference"] = link["full_product_name"]["product_id"]
    assert list(redhat.parse(written(tmp_path / "a.json", json.dumps(content).encode()))) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[" * 5000,
        b'{"document": {"tracking": {"id": "RHSA-2024:1"}}}',
        json.dumps(document("x", "pkg:rpm/redhat/a b@1-1", "fixed")).encode(),
        json.dumps(document("x", "pkg:rpm/redhat/a@1", "fixed")).encode(),
    ],
)
def test_broken_documents_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnreadableError):
        list(redhat.parse(written(tmp_path / "cve.json", data)))


def test_one_broken_document_spoils_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "vex.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(RECORDED / "redhat/cve-2023-6238.json", "2023/cve-2023-6238.json")
        archive.add(RECORDED / "redhat/changes.csv", "2023/cve-2023-6239.json")
    with pytest.raises(UnreadableError):
        list(redhat.parse(FeedFile(name="vex.tar.gz", path=str(path))))


@given(spoiled((RECORDED / "redhat/cve-2023-6238.json").read_bytes()))
def test_spoiled_documents_are_read_or_refused(data: bytes) -> None:
    read_or_refused(redhat.parse, data, "cve-2023-6238.json")


@pytest.mark.skipif(not ARCHIVE.exists(), reason="the sample archive is not beside this tree")
def test_a_whole_archive_with_real_kernels() -> None:
    found = {one.id: one for one in redhat.parse(FeedFile(name=ARCHIVE.name, path=str(ARCHIVE)))}
    assert len(found) == 5
    kernels = [one for one in found["CVE-2023-6240"].affected if one.release == "rhel:9"]
    flavours = {one.package: one.fixed for one in kernels if one.channel == ""}
    assert flavours["kernel-core"] == "5.14.0-427.16.1.el9_4"
    assert flavours["kernel-64k-core"] == "5.14.0-427.16.1.el9_4"
    assert {one.channel for one in kernels} == {"", "eus-9.0", "eus-9.2"}
