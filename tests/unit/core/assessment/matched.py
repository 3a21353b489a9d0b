"""A host's packages held against advisories, in few words."""

from __future__ import annotations

from typing import Any

from suture.core.assessment.findings import Finding, FindingState
from suture.core.assessment.matching import match
from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.core.intelligence.advisory_index import AdvisoryIndex
from suture.core.inventory import (
    AvailableVersion,
    Inventory,
    OperatingSystem,
    Origin,
    Package,
    Update,
)
from tests.unit.core.builders import package

SECURITY = Origin("Debian", "Debian-Security", "stable-security", "bookworm-security", "main")

CVE = "CVE-2026-0001"
ALMA = OperatingSystem("almalinux", "9")


def advisory(fixed: str | None = "2", **fields: Any) -> Advisory:
    about: dict[str, Any] = {"release": "debian:12", "package": "nginx", "state": FixState.FIXED}
    of_package = set(Affected.__struct_fields__) - {"cves", "severity"}
    about |= {name: fields.pop(name) for name in tuple(fields) if name in of_package}
    defaults: dict[str, Any] = {
        "id": f"changelog:nginx:{fixed}",
        "publisher": "changelog",
        "cves": (CVE,),
    }
    return Advisory(affected=(Affected(fixed=fixed, **about),), **defaults | fields)


def update(name: str, installed: str, offered: str, source: str = "") -> Update:
    version = AvailableVersion(
        name, "amd64", offered, source or name, offered, (SECURITY,), sha256="0" * 64, size=1
    )
    return Update(name, "amd64", installed, source or name, offered, (version,))


def found(seen: Inventory, *advisories: Advisory) -> tuple[Finding, ...]:
    return match(seen, AdvisoryIndex(advisories))


def states(seen: Inventory, *advisories: Advisory) -> list[FindingState]:
    return [finding.state for finding in found(seen, *advisories)]


def rpm(name: str, version: str, source: str = "", **fields: Any) -> Package:
    return package(name, version, arch="x86_64", source=source or name, **fields)


def alma(package: str, fixed: str, **fields: Any) -> Advisory:
    return advisory(fixed, release="almalinux:9", package=package, publisher="almalinux", **fields)
