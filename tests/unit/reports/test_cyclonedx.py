"""The SBOM with its VEX is what the standard's own schema accepts, and names what is open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from suture.core.assessment.findings import Finding, FindingState
from suture.core.inventory import OperatingSystem, PackageState
from suture.reports.cyclonedx import package_url, render
from tests.unit.core.builders import inventory, package

NOW = datetime(2026, 8, 16, tzinfo=UTC)
FINDING = Finding(
    cve="CVE-2026-0001",
    host="web1",
    package="nginx",
    packages=("nginx", "nginx-common"),
    source="nginx",
    installed="1.22.1-9",
    fixed="1.22.1-9+deb12u9",
    state=FindingState.FIXABLE,
    publisher="debian",
    reasons=("nginx 1.22.1-9 is older than 1.22.1-9+deb12u9",),
)


def rendered(*findings: Finding, unknown: Mapping[str, str] | None = None) -> dict[str, Any]:
    packages = [
        package("nginx", "1.22.1-9"),
        package("nginx-common", "1.22.1-9", source="nginx"),
        package("gone", "1", state=PackageState.RESIDUAL),
    ]
    seen = [inventory("web1", packages), inventory("web2", packages)]
    text = render(seen, findings, NOW, unknown)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document: dict[str, Any] = json.loads(text)
    return document


def test_a_package_is_one_component_however_many_hosts_have_it() -> None:
    document = rendered()
    names = [one["name"] for one in document["components"]]
    assert sorted(names) == ["nginx", "nginx-common", "web1", "web2"]
    depends = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    assert len(depends["host:web1"]) == 2
    assert depends["host:web1"] == depends["host:web2"]


def test_what_is_open_names_the_packages_and_the_remedy() -> None:
    (one,) = rendered(FINDING)["vulnerabilities"]
    assert one["id"] == "CVE-2026-0001"
    assert sorted(target["ref"].partition("@")[0] for target in one["affects"]) == [
        "pkg:deb/debian/nginx",
        "pkg:deb/debian/nginx-common",
    ]
    assert one["recommendation"] == "Update nginx to 1.22.1-9+deb12u9"
    assert one["analysis"]["response"] == ["update"]


def test_hosts_of_which_nothing_can_be_said_are_told_from_those_without_findings() -> None:
    unknown = {"web2": "no feed speaks of it", "web3": "never scanned"}
    document = rendered(FINDING, unknown=unknown)
    said = {
        one["name"]: {each["value"] for each in one["properties"] if "unknown" in each["name"]}
        for one in document["components"]
        if one["bom-ref"].startswith("host:")
    }
    assert said == {"web1": set(), "web2": {"no feed speaks of it"}, "web3": {"never scanned"}}
    assert [one["value"] for one in document["metadata"]["properties"]] == [
        "web2: no feed speaks of it",
        "web3: never scanned",
    ]
    assert document["compositions"] == [
        {"aggregate": "incomplete", "vulnerabilities": ["CVE-2026-0001:nginx:fixable"]},
        {"aggregate": "unknown", "assemblies": ["host:web3"]},
    ]


def test_no_statement_at_all_is_unknown_and_not_complete() -> None:
    document = rendered(unknown={"web1": "no feed speaks of it"})
    assert document["compositions"] == [{"aggregate": "unknown", "vulnerabilities": []}]
    assert "compositions" not in rendered()


def test_package_urls_are_those_of_the_package_manager() -> None:
    alma = OperatingSystem("almalinux", "9.4")
    url = package_url(alma, package("openssl-libs", "1:3.0.7-27.el9", source="openssl"))
    assert str(url) == (
        "pkg:rpm/almalinux/openssl-libs@3.0.7-27.el9"
        "?arch=amd64&distro=almalinux-9.4&epoch=1&upstream=openssl"
    )
