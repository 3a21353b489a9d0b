"""Hosts as CycloneDX: an SBOM of what is installed, with a VEX of what is open.

Of several hosts, each package version is one component however many hosts have it, and each host
is a component that depends on its packages. Where nothing can be said about a host, the document
says so: no statement must not look like nothing open.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from cyclonedx.model import Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.impact_analysis import (
    ImpactAnalysisAffectedStatus,
    ImpactAnalysisResponse,
    ImpactAnalysisState,
)
from cyclonedx.model.tool import ToolRepository
from cyclonedx.model.vulnerability import (
    BomTarget,
    BomTargetVersionRange,
    Vulnerability,
    VulnerabilityAnalysis,
    VulnerabilityRating,
    VulnerabilitySeverity,
    VulnerabilitySource,
)
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from suture import __version__
from suture.core.assessment.findings import Finding, FindingState
from suture.core.documents import digest
from suture.core.intelligence.advisories import Severity
from suture.core.inventory import Inventory, OperatingSystem, Package, PackageState

_UNKNOWN = "suture:vulnerabilities_unknown"  # a property, whose value says why
# The package manager of a system by its id, as package URLs name it.
_TYPES = {
    "debian": "deb",
    "ubuntu": "deb",
    "alpine": "apk",
    "arch": "alpm",
}
_SEVERITIES = {
    Severity.CRITICAL: VulnerabilitySeverity.CRITICAL,
    Severity.HIGH: VulnerabilitySeverity.HIGH,
    Severity.MEDIUM: VulnerabilitySeverity.MEDIUM,
    Severity.LOW: VulnerabilitySeverity.LOW,
    Severity.UNKNOWN: VulnerabilitySeverity.UNKNOWN,
}
_RESPONSES = {
    FindingState.FIXABLE: (ImpactAnalysisResponse.UPDATE,),
    FindingState.FIXED_ELSEWHERE: (ImpactAnalysisResponse.UPDATE,),
    FindingState.RESTART: (),
    FindingState.NO_FIX: (ImpactAnalysisResponse.CAN_NOT_FIX,),
}


def render(
    seen: Sequence[Inventory],
    findings: Iterable[Finding],
    made_at: datetime,
    unknown: Mapping[str, str] | None = None,
) -> str:
    """CycloneDX 1.6 as JSON. The same input gives the same serial number. ``unknown`` are hosts of
    which nothing can be said, seen or not, each with the reason."""
    unknown = unknown or {}
    components: dict[str, Component] = {}
    dependencies: list[Dependency] = []
    by_name: dict[tuple[str, str], list[str]] = {}
    for inventory in seen:
        host = _host(inventory, unknown.get(inventory.host, ""))
        components[_ref(inventory.host)] = host
        installed = []
        for package in inventory.packages.packages:
            if package.state is not PackageState.RESIDUAL:
                url = str(package_url(inventory.os, package))
                if url not in components:
                    components[url] = _component(inventory.os, package, url)
                installed.append(Dependency(BomRef(url)))
                by_name.setdefault((inventory.host, package.name), []).append(url)
        dependencies.append(Dependency(host.bom_ref, installed))
    never = sorted(unknown.keys() - {inventory.host for inventory in seen})
    components |= {_ref(host): _never_seen(host, unknown[host]) for host in never}
    vulnerabilities = _vulnerabilities(findings, by_name)
    bom = Bom(
        serial_number=uuid.UUID(digest((sorted(components), made_at))[:32]),
        components=components.values(),
        dependencies=dependencies,
        vulnerabilities=vulnerabilities,
        metadata=BomMetaData(
            timestamp=made_at,
            tools=ToolRepository(
                components=[
                    Component(name="suture", version=__version__, type=ComponentType.APPLICATION)
                ]
            ),
            properties=[
                Property(name=_UNKNOWN, value=f"{host}: {why}") for host, why in unknown.items()
            ],
        ),
    )
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    return _with_compositions(text, vulnerabilities, never) if unknown else text


def _ref(host: str) -> str:
    return f"host:{host}"


def _host(inventory: Inventory, unknown: str) -> Component:
    properties = [
        Property(name="suture:collected_at", value=inventory.collected_at.isoformat()),
        Property(name="suture:kernel", value=inventory.kernel.running),
    ]
    if unknown:
        properties.append(Property(name=_UNKNOWN, value=unknown))
    return Component(
        name=inventory.host,
        type=ComponentType.OPERATING_SYSTEM,
        version=inventory.os.title,
        bom_ref=_ref(inventory.host),
        properties=properties,
    )


def _never_seen(host: str, unknown: str) -> Component:
    return Component(
        name=host,
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref=_ref(host),
        properties=[Property(name=_UNKNOWN, value=unknown)],
    )


def _with_compositions(
    text: str, vulnerabilities: Sequence[Vulnerability], never: Sequence[str]
) -> str:
    """How complete the document is, which the library cannot write: there are vulnerabilities
    that it does not state, and packages of hosts never seen that it does not list."""
    stated = sorted(str(one.bom_ref.value) for one in vulnerabilities)
    compositions: list[dict[str, object]] = [
        {"aggregate": "incomplete" if stated else "unknown", "vulnerabilities": stated}
    ]
    if never:
        compositions.append({"aggregate": "unknown", "assemblies": [_ref(host) for host in never]})
    return json.dumps(json.loads(text) | {"compositions": compositions}, indent=2)


def package_url(system: OperatingSystem, package: Package) -> PackageURL:
    """``pkg:deb/debian/nginx@1.22.1-9?arch=amd64&distro=debian-12&upstream=…``"""
    kind = _TYPES.get(system.id, "rpm")
    qualifiers = {"arch": package.arch, "distro": f"{system.id}-{system.version}"}
    version = package.version
    if kind == "rpm" and ":" in version:
        qualifiers["epoch"], _, version = version.partition(":")
    if package.source != package.name:
        qualifiers["upstream"] = package.source
    return PackageURL(kind, system.id, package.name, version, qualifiers)


def _component(system: OperatingSystem, package: Package, url: str) -> Component:
    return Component(
        name=package.name,
        type=ComponentType.LIBRARY,
        version=package.version,
        bom_ref=url,
        purl=package_url(system, package),
        properties=[
            Property(name="suture:source", value=f"{package.source} {package.source_version}"),
        ],
    )


def _vulnerabilities(
    findings: Iterable[Finding], by_name: Mapping[tuple[str, str], Sequence[str]]
) -> list[Vulnerability]:
    """One for each CVE in the same state for the same reason, with all packages it affects."""
    found: dict[tuple[str, str, str], tuple[Finding, set[str]]] = {}
    for one in findings:
        key = (one.cve, one.source, one.state.value)
        _, urls = found.setdefault(key, (one, set()))
        for name in one.packages:
            urls.update(by_name.get((one.host, name), ()))
    return [_vulnerability(one, sorted(urls)) for one, urls in found.values()]


def _vulnerability(one: Finding, urls: Sequence[str]) -> Vulnerability:
    unknown = one.state is FindingState.NO_FIX and any("looking into it" in r for r in one.reasons)
    source = VulnerabilitySource(
        name=one.publisher or "unknown",
        url=XsUri(f"https://www.cve.org/CVERecord?id={one.cve}"),
    )
    return Vulnerability(
        bom_ref=f"{one.cve}:{one.source}:{one.state.value}",
        id=one.cve,
        source=source,
        ratings=[VulnerabilityRating(severity=_SEVERITIES[one.severity], source=source)],
        recommendation=f"Update {one.source} to {one.fixed}" if one.fixed else None,
        analysis=VulnerabilityAnalysis(
            state=ImpactAnalysisState.IN_TRIAGE if unknown else ImpactAnalysisState.EXPLOITABLE,
            responses=_RESPONSES[one.state],
            detail="; ".join(one.reasons),
        ),
        affects=[
            BomTarget(
                ref=url,
                versions=[
                    BomTargetVersionRange(
                        version=one.installed, status=ImpactAnalysisAffectedStatus.AFFECTED
                    )
                ],
            )
            for url in urls
        ],
    )
