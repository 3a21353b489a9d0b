"""OpenVAS and Greenbone: the XML and the CSV of a report.

The format: https://docs.greenbone.net/API/GMP/gmp-22.4.html#element_report
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from suture.core.scanners.scanner import (
    Scanner,
    ScannerRecord,
    ScannerState,
    cves_in,
    line,
    port_of,
    severity_of,
    state_of,
)
from suture.imports.fields import identity, moment, packages_in
from suture.imports.rows import Rows
from suture.reading import elements, opened

COLUMNS = (frozenset({"ip", "nvt oid", "nvt name"}),)
_PATCHES = {
    "vendorfix": True,
    "mitigation": False,
    "workaround": False,
    "willnotfix": True,
    "noneavailable": True,
}


def of_xml(path: Path) -> Iterator[ScannerRecord]:
    """The results of a report; raises :class:`UnreadableError`."""
    with opened(path) as stream:
        for result in elements(stream, "result", name=path.name):
            if result.find("nvt") is not None:
                yield _result(result)


def _result(result: Element) -> ScannerRecord:
    nvt = result.find("nvt")
    host = result.find("host")
    assert nvt is not None
    tags = dict(part.partition("=")[::2] for part in (nvt.findtext("tags") or "").split("|"))
    named = nvt.find("solution")
    solution = line((named is not None and named.text) or tags.get("solution"))
    kind = (named is not None and named.get("type")) or tags.get("solution_type", "")
    severity = result.findtext("severity") or nvt.findtext("cvss_base")
    cves = _cves(nvt)
    port, _, protocol = (result.findtext("port") or "").partition("/")
    asset = host.find("asset") if host is not None else None
    return ScannerRecord(
        scanner=Scanner.OPENVAS,
        host=identity(
            host.text if host is not None else None,
            host.findtext("hostname") if host is not None else None,
            ids=(asset.get("asset_id"),) if asset is not None else (),
        ),
        plugin=line(nvt.get("oid"), 128),
        title=line(nvt.findtext("name") or result.findtext("name")),
        state=_state(result.findtext("threat") or "", severity, kind, cves, solution),
        severity=severity_of(severity),
        cves=cves,
        packages=packages_in(result.findtext("description") or ""),
        port=port_of(port),
        protocol=line(protocol, 16).lower(),
        seen_at=moment(result.findtext("modification_time") or "")
        or moment(result.findtext("creation_time") or ""),
        solution=solution,
    )


def _cves(nvt: Element) -> tuple[str, ...]:
    refs = [
        ref.get("id", "")
        for ref in nvt.iterfind("refs/ref")
        if ref.get("type", "").lower() == "cve"
    ]
    return cves_in(" ".join((*refs, nvt.findtext("cve") or "")))


def _state(
    threat: str, severity: str | None, kind: str, cves: tuple[str, ...], solution: str
) -> ScannerState:
    threat = threat.strip().lower()
    if threat == "false positive":
        return ScannerState.CLOSED
    if threat == "error":
        return ScannerState.UNKNOWN
    return state_of(
        nothing_wrong=threat in ("log", "debug") or (severity or "").strip() in ("0", "0.0"),
        patch=_PATCHES.get(kind.strip().lower()),
        cves=cves,
        solution=solution,
    )


def of_csv(path: Path) -> Iterator[ScannerRecord]:
    """The lines of a CSV export; raises :class:`UnreadableError`."""
    for row in Rows(path, COLUMNS):
        yield _row(row)


def _row(row: Mapping[str, str]) -> ScannerRecord:
    cves = cves_in(row.get("cves", ""))
    solution = line(row.get("solution"))
    return ScannerRecord(
        scanner=Scanner.OPENVAS,
        host=identity(row.get("ip"), row.get("hostname")),
        plugin=line(row.get("nvt oid"), 128),
        title=line(row.get("nvt name")),
        state=_state(
            row.get("severity", ""), row.get("cvss"), row.get("solution type", ""), cves, solution
        ),
        severity=severity_of(row.get("cvss")),
        cves=cves,
        packages=packages_in(row.get("specific result", "")),
        port=port_of(row.get("port")),
        protocol=line(row.get("port protocol"), 16).lower(),
        seen_at=moment(row.get("timestamp", "")),
        solution=solution,
    )
