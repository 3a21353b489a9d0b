"""Ubuntu's OSV and VEX: what is open told apart, and archives apart from the release's own."""

from __future__ import annotations

import json
import os
import tarfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.feeds import ubuntu
from suture.feeds.feed import FeedFile
from suture.reading import UnreadableError

RECORDED = Path(__file__).parents[2] / "recorded/feeds"
DATA = Path(os.environ.get("SUTURE_TEST_DATA", Path(__file__).parents[4] / "shared/data"))

CURL = "pkg:deb/ubuntu/curl@8.5.0-2ubuntu10.6?arch=source&distro=noble"
WORDS = "This package (for the given release) "


def packed(tmp_path: Path, **files: Path) -> FeedFile:
    path = tmp_path / "all.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        for name, file in files.items():
            archive.add(file, name)
    return FeedFile(path.name, str(path))


def stated(status: str, product: str = CURL, **fields: Any) -> Affected | None:
    """What becomes of one statement about one product."""
    statement = {
        "vulnerability": {"name": "CVE-2024-1000"},
        "products": [{"@id": product}, {"@id": "pkg:deb/ubuntu/libcurl4@8.5.0?arch=amd64"}],
        "status": status,
        **fields,
    }
    data = json.dumps({"statements": [statement]}).encode()
    advisory = ubuntu.parse_vex_document(data, name="vex.json")
    return advisory.affected[0] if advisory else None


def test_a_vex_document_as_an_advisory() -> None:
    path = RECORDED / "ubuntu/CVE-2025-0167.json"
    advisory = ubuntu.parse_vex_document(path.read_bytes(), name=path.name)
    needed = "is vulnerable to the CVE and needs fixing."
    assert advisory == Advisory(
        id="CVE-2025-0167",
        publisher="ubuntu",
        cves=("CVE-2025-0167",),
        affected=(
            *(
                Affected(
                    release,
                    "curl",
                    FixState.NOT_AFFECTED,
                    channel=channel,
                    note="vulnerable code not present",
                )
                for release, channel in (
                    ("ubuntu:14.04", "esm-infra-legacy"),
                    ("ubuntu:16.04", "esm-infra"),
                    ("ubuntu:18.04", "esm-infra"),
                )
            ),
            *(
                Affected(release, "curl", FixState.AFFECTED, note=needed)
                for release in ("ubuntu:22.04", "ubuntu:24.10", "ubuntu:24.04")
            ),
        ),
        published=date(2025, 2, 5),
        modified=date(2025, 2, 6),
        summary="When asked to use a `.netrc` file for credentials **and** to follow HTTP "
        "redirects, curl could leak the password used fo",
        url="https://ubuntu.com/security/CVE-2025-0167",
    )


@pytest.mark.parametrize(
    ("status", "fields", "state", "note"),
    [
        ("fixed", {"status_notes": WORDS + "was vulnerable, but …"}, FixState.FIXED, ""),
        (
            "not_affected",
            {"justification": "vulnerable_code_not_present"},
            FixState.NOT_AFFECTED,
            "vulnerable code not present",
        ),
        (
            "affected",
            {
                "action_statement": WORDS + "is vulnerable to the CVE, the problem is understood, "
                "but the Ubuntu Security Team decided to not fix it. CVE notes / justification: "
                "Too intrusive."
            },
            FixState.WILL_NOT_FIX,
            "Too intrusive.",
        ),
        (
            "affected",
            {"action_statement": WORDS + "is no longer supported. CVE Notes: end of life"},
            FixState.END_OF_LIFE,
            "end of life",
        ),
        (
            "affected",
            {"action_statement": WORDS + "is vulnerable, needs fixing, and is worked on."},
            FixState.AFFECTED,
            "is vulnerable, needs fixing, and is worked on.",
        ),
        (
            "under_investigation",
            {"status_notes": "Vulnerability assessment is pending."},
            FixState.UNDER_INVESTIGATION,
            "Vulnerability assessment is pending.",
        ),
        (
            "under_investigation",
            {"status_notes": "The vulnerability is known but remediation is deferred."},
            FixState.AFFECTED,
            "The vulnerability is known but remediation is deferred.",
        ),
        (
            "pondered",
            {"status_notes": "By us."},
            FixState.UNDER_INVESTIGATION,
            "status 'pondered': By us.",
        ),
    ],
)
def test_what_a_statement_means(
    status: str, fields: dict[str, str], state: FixState, note: str
) -> None:
    affected = stated(status, **fields)
    assert affected is not None
    assert (affected.state, affected.note) == (state, note)
    assert affected.fixed == ("8.5.0-2ubuntu10.6" if state is FixState.FIXED else None)


def test_a_package_that_the_release_does_not_have_is_passed_over() -> None:
    assert stated("not_affected", justification="component_not_present") is None


@pytest.mark.parametrize(
    ("distro", "place"),
    [
        ("noble", ("ubuntu:24.04", "")),
        ("esm-apps/bionic", ("ubuntu:18.04", "esm-apps")),
        ("esm-apps%2Fbionic", ("ubuntu:18.04", "esm-apps")),
        ("fips-updates/jammy", ("ubuntu:22.04", "fips-updates")),
        ("trusty/esm", ("ubuntu:14.04", "esm")),
        ("realtime/zany", ("ubuntu:zany", "realtime")),
    ],
)
def test_the_archive_is_told_from_the_release(distro: str, place: tuple[str, str]) -> None:
    affected = stated("affected", f"pkg:deb/ubuntu/curl@8.5.0?arch=source&distro={distro}")
    assert affected is not None
    assert (affected.release, affected.channel) == place


def test_what_purls_escape_is_unescaped() -> None:
    purl = "pkg:deb/ubuntu/libsigc%2B%2B@1%3A2.12.1%2Bds?arch=source&distro=noble"
    affected = stated("fixed", purl)
    assert affected is not None
    assert (affected.package, affected.fixed) == ("libsigc++", "1:2.12.1+ds")


def test_the_priority_is_in_the_notes() -> None:
    note = "Ubuntu Security Team classified this CVE as of Medium priority."
    statement = {
        "vulnerability": {"name": "CVE-2024-1000"},
        "products": [{"@id": CURL}],
        "status": "affected",
        "status_notes": note,
    }
    data = json.dumps({"statements": [statement]}).encode()
    advisory = ubuntu.parse_vex_document(data, name="vex.json")
    assert advisory is not None
    assert advisory.severity is Severity.MEDIUM


@pytest.mark.parametrize(
    "data",
    [
        b"invalid",
        b"{}",
        b'{"statements": [{"status": "fixed"}]}',
        b'{"statements": [{"vulnerability": {"name": "CVE-2024-1000"}, "status": "fixed",'
        b' "products": [{"@id": "curl?arch=source"}]}]}',
    ],
)
def test_a_broken_document_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"vex\.json"):
        ubuntu.parse_vex_document(data, name="vex.json")


def test_the_archives_documents_of_cves_are_read(tmp_path: Path) -> None:
    cve = RECORDED / "osv/UBUNTU-CVE-2024-51988.json"
    file = packed(
        tmp_path,
        **{
            "osv/cve/2024/UBUNTU-CVE-2024-51988.json": cve,
            "osv/lsn/LSN-0108-1.json": RECORDED / "osv/LSN-0108-1.json",
        },
    )
    [advisory] = ubuntu.parse_osv(file)
    assert advisory.id == "UBUNTU-CVE-2024-51988"
    vex = {"vex/cve/2025/CVE-2025-0167.json": RECORDED / "ubuntu/CVE-2025-0167.json"}
    assert [one.id for one in ubuntu.parse_vex(packed(tmp_path, **vex))] == ["CVE-2025-0167"]


def test_what_is_open_in_osv_may_be_anything(tmp_path: Path) -> None:
    path = tmp_path / "document"
    package = {"ecosystem": "Ubuntu:24.04:LTS", "name": "curl"}
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
    path.write_text(
        json.dumps(
            {"id": "UBUNTU-CVE-2024-1000", "affected": [{"package": package, "ranges": ranges}]}
        )
    )
    file = packed(tmp_path, **{"osv/cve/2024/UBUNTU-CVE-2024-1000.json": path})
    [advisory] = ubuntu.parse_osv(file)
    assert [one.state for one in advisory.affected] == [FixState.UNDER_INVESTIGATION]


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data are not here")
def test_the_real_samples_are_read() -> None:
    samples = DATA / "feed-samples/ubuntu"
    [osv] = ubuntu.parse_osv(FeedFile("osv", str(samples / "osv/happy/osv-all.tar.xz")))
    [vex] = ubuntu.parse_vex(FeedFile("vex", str(samples / "vex/vex-all.tar.xz")))
    assert (osv.id, len(osv.affected)) == ("UBUNTU-CVE-2024-51988", 4)
    assert (vex.id, len(vex.affected)) == ("CVE-2025-0167", 7)
