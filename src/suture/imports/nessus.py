"""Nessus: ``.nessus`` (XML, version 2), and the CSV of Nessus, Tenable.io and Tenable.sc.

The format: https://docs.tenable.com/quick-reference/nessus-file-format/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

from suture.core.intelligence.advisories import Severity
from suture.core.scanners.scanner import (
    Scanner,
    ScannerHost,
    ScannerRecord,
    ScannerState,
    cves_in,
    line,
    port_of,
    state_of,
)
from suture.imports.fields import identity, moment, packages_in
from suture.imports.rows import Rows
from suture.reading import elements, opened

COLUMNS = (
    frozenset({"plugin id", "risk", "host", "name"}),
    frozenset({"plugin", "plugin name", "severity", "ip address"}),
)
_SEVERITIES = {
    "0": None,
    "none": None,
    "info": None,
    "1": Severity.LOW,
    "low": Severity.LOW,
    "2": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "3": Severity.HIGH,
    "high": Severity.HIGH,
    "4": Severity.CRITICAL,
    "critical": Severity.CRITICAL,
}
_COMPLIANCE = {
    "FAILED": ScannerState.CONFIGURATION,
    "PASSED": ScannerState.CLOSED,
    "ERROR": ScannerState.UNKNOWN,
    "WARNING": ScannerState.UNKNOWN,
}
_IDS = ("host-uuid", "agent-uuid", "tenable_uuid", "tenable-uuid")


def of_xml(path: Path) -> Iterator[ScannerRecord]:
    """The lines of a ``.nessus`` file; raises :class:`UnreadableError`."""
    name = ""
    host, seen_at = ScannerHost(), None
    with opened(path) as stream:
        for element in elements(
            stream, "HostProperties", "ReportItem", name=path.name, opening=("ReportHost",)
        ):
            if element.tag == "ReportHost":
                name = element.get("name", "")
                host, seen_at = identity(name), None
            elif element.tag == "HostProperties":
                host, seen_at = _host(name, element)
            else:
                yield _item(element, host, seen_at)


def _host(name: str, properties: Element) -> tuple[ScannerHost, datetime | None]:
    tags = {tag.get("name", "").lower(): (tag.text or "").strip() for tag in properties}
    credentialed = tags.get("credentialed_scan", "").lower()
    host = identity(
        tags.get("host-ip"),
        tags.get("host-fqdn"),
        tags.get("hostname"),
        name,
        ids=tuple(tags.get(key) for key in _IDS),
        os=tags.get("operating-system"),
        credentialed={"true": True, "false": False}.get(credentialed),
    )
    ended = tags.get("host_end_timestamp") or tags.get("host_end") or tags.get("host_start", "")
    return host, moment(ended)


def _item(item: Element, host: ScannerHost, seen_at: datetime | None) -> ScannerRecord:
    cves = cves_in(" ".join(one.text or "" for one in item.iterfind("cve")))
    severity = _SEVERITIES.get(item.get("severity", ""), Severity.UNKNOWN)
    solution = line(item.findtext("solution"))
    return ScannerRecord(
        scanner=Scanner.NESSUS,
        host=host,
        plugin=line(item.get("pluginID"), 128),
        title=line(item.findtext("compliance-check-name") or item.get("pluginName")),
        state=_COMPLIANCE.get((item.findtext("compliance-result") or "").strip().upper())
        or state_of(
            nothing_wrong=severity is None,
            patch=_says_patch(item),
            cves=cves,
            solution=solution,
        ),
        severity=severity or Severity.UNKNOWN,
        cves=cves,
        packages=packages_in(item.findtext("plugin_output") or ""),
        port=port_of(item.get("port")),
        protocol=line(item.get("protocol"), 16).lower(),
        seen_at=seen_at,
        solution="" if solution == "n/a" else solution,
    )


def _says_patch(item: Element) -> bool | None:
    """Nessus dates the patch where it knows one."""
    dated = item.find("patch_publication_date") is not None
    return True if dated or _is_local(item.get("pluginFamily")) else None


def _is_local(family: str | None) -> bool:
    return (family or "").endswith("Local Security Checks")


def of_csv(path: Path) -> Iterator[ScannerRecord]:
    """The lines of a CSV export; raises :class:`UnreadableError`."""
    for row in Rows(path, COLUMNS):
        yield _row(row)


def _row(row: Mapping[str, str]) -> ScannerRecord:
    cves = cves_in(row.get("cve", ""))
    risk = (row.get("risk") or row.get("severity") or "").strip().lower()
    severity = _SEVERITIES.get(risk, Severity.UNKNOWN)
    solution = line(row.get("solution"))
    state = state_of(
        nothing_wrong=severity is None, patch=_row_patch(row), cves=cves, solution=solution
    )
    if (row.get("vulnerability state") or "").strip().lower() == "fixed":
        state = ScannerState.CLOSED
    return ScannerRecord(
        scanner=Scanner.NESSUS,
        host=identity(
            row.get("ip address"),
            row.get("host"),
            row.get("fqdn") or row.get("dns name"),
            ids=(row.get("asset uuid"), row.get("host id"), row.get("agent uuid")),
            os=row.get("os"),
            credentialed=_row_credentialed(row),
        ),
        plugin=line(row.get("plugin id") or row.get("plugin"), 128),
        title=line(row.get("name") or row.get("plugin name")),
        state=state,
        severity=severity or Severity.UNKNOWN,
        cves=cves,
        packages=packages_in(row.get("plugin output") or row.get("plugin text") or ""),
        port=port_of(row.get("port")),
        protocol=line(row.get("protocol"), 16).lower(),
        seen_at=moment(
            row.get("last found") or row.get("last observed") or row.get("host end") or ""
        ),
        solution="" if solution == "n/a" else solution,
    )


def _row_patch(row: Mapping[str, str]) -> bool | None:
    dated = row.get("patch publication date", "").strip().lower() not in ("", "n/a")
    available = row.get("patch available", "").strip().lower() == "true"
    local = _is_local(row.get("plugin family") or row.get("family"))
    return True if dated or available or local else None


def _row_credentialed(row: Mapping[str, str]) -> bool | None:
    """Tenable.io dates the last results with and without credentials."""
    if "last authenticated results date" not in row:
        return None
    return bool(row["last authenticated results date"].strip())
