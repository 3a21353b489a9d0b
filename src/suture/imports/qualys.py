"""Qualys: the XML of scans, of reports by asset and of VMDR's detections, and the CSV of all but
scans.

A report by asset describes its checks below the hosts, so that the file is read twice. The
formats: https://docs.qualys.com/en/vm/api/ (``scan-1.dtd``, ``asset_data_report.dtd``,
``host_list_vm_detection_output.dtd``).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, timedelta, timezone
from pathlib import Path
from xml.etree.ElementTree import Element

from suture.core.intelligence.advisories import Severity
from suture.core.scanners.checks import Check, bare_title, informed
from suture.core.scanners.scanner import (
    MAX_PACKAGES,
    PackageEvidence,
    Scanner,
    ScannerHost,
    ScannerRecord,
    ScannerState,
    Truncated,
    cves_in,
    line,
    port_of,
    state_of,
)
from suture.imports.fields import identity, moment
from suture.imports.rows import Rows
from suture.reading import UnreadableError, elements, opened

COLUMNS = (
    frozenset({"ip", "qid", "title"}),
    frozenset({"qid", "asset name", "asset ipv4"}),
)
DETECTION_COLUMNS = (frozenset({"host id", "ip address", "qid", "last found datetime"}),)
MAX_CHECKS = 300_000
_SEVERITIES = {
    "1": Severity.LOW,
    "2": Severity.LOW,
    "3": Severity.MEDIUM,
    "4": Severity.HIGH,
    "5": Severity.CRITICAL,
}
_INFORMATION = {"ig", "info", "information gathered"}
_CLOSED = {"fixed", "disabled", "ignored"}
_OFFSET = re.compile(r"\bGMT([+-])([01]\d):?([0-5]\d)\b")
_TAG = re.compile(r"<[^<>]{0,500}>")
_BODY, _BODY_ENDS = "----BEGIN_RESPONSE_BODY_CSV", "----END_RESPONSE_BODY_CSV"
_FINE = {"", "status message", "finished"}
_TABLE = re.compile(r"^\W*Package\b.*\bInstalled\b.*$", re.IGNORECASE | re.MULTILINE)


def of_assets(path: Path) -> Iterator[ScannerRecord]:
    """The lines of a report by asset; raises :class:`UnreadableError`."""
    checks = _glossary(path)
    host = ScannerHost()
    about: dict[str, str] = {}
    wanted = ("IP", "DNS", "NETBIOS", "OPERATING_SYSTEM", "TRACKING_METHOD", "QG_HOSTID")
    with opened(path) as stream:
        for element in elements(
            stream,
            *wanted,
            "VULN_INFO",
            name=path.name,
            opening=("HOST", "VULN_INFO_LIST"),
            doctype=True,
        ):
            if element.tag == "HOST":
                about = {}
            elif element.tag in wanted:
                about[element.tag] = element.text or ""
            elif element.tag == "VULN_INFO_LIST":
                host = _asset(about)
            elif element.tag == "VULN_INFO":
                yield _detection(element, host, checks)


def _glossary(path: Path) -> dict[str, Check]:
    checks: dict[str, Check] = {}
    with opened(path) as stream:
        for details in elements(stream, "VULN_DETAILS", name=path.name, doctype=True):
            ids = " ".join(one.text or "" for one in details.iterfind("CVE_ID_LIST/CVE_ID/ID"))
            qid = (details.findtext("QID") or "").strip()
            checks[qid] = Check(
                id=line(qid, 128),
                title=text_of(details.findtext("TITLE")),
                severity=severity(details.findtext("SEVERITY")),
                cves=cves_in(ids),
                solution=text_of(details.findtext("SOLUTION")),
                patch=flag(details.findtext("PATCHABLE")),
            )
            if len(checks) > MAX_CHECKS:
                raise UnreadableError(f"{path.name} describes more than {MAX_CHECKS} checks")
    return checks


def _asset(about: Mapping[str, str]) -> ScannerHost:
    """``about`` is by the names of Qualys's elements."""
    return identity(
        about.get("IP"),
        about.get("IPV6"),
        about.get("DNS"),
        about.get("NETBIOS"),
        ids=(about.get("ID"), about.get("QG_HOSTID")),
        os=about.get("OPERATING_SYSTEM") or about.get("OS"),
        credentialed=_inside(about.get("TRACKING_METHOD", "")),
    )


def _inside(tracking: str) -> bool | None:
    """Qualys's agent looks from inside; of other ways a report does not say how far they saw."""
    return True if "AGENT" in tracking.upper() else None


def _detection(detection: Element, host: ScannerHost, checks: Mapping[str, Check]) -> ScannerRecord:
    """A finding of a report by asset (VULN_INFO) or of VMDR (DETECTION), with what ``checks`` say
    of it."""
    qid = (detection.findtext("QID") or "").strip()
    seen = detection.findtext("LAST_FOUND") or detection.findtext("LAST_FOUND_DATETIME")
    status = detection.findtext("VULN_STATUS") or detection.findtext("STATUS") or ""
    record = ScannerRecord(
        scanner=Scanner.QUALYS,
        host=host,
        plugin=line(qid, 128),
        title=bare_title(line(qid, 120)),
        state=_state(detection.findtext("TYPE") or "", status, None, (), ""),
        severity=severity(detection.findtext("SEVERITY")),
        packages=_packages(detection.findtext("RESULT") or detection.findtext("RESULTS") or ""),
        port=port_of(detection.findtext("PORT")),
        protocol=line(detection.findtext("PROTOCOL"), 16).lower(),
        seen_at=moment(seen or ""),
    )
    return informed(record, checks.get(qid))


def of_detections(path: Path) -> Iterator[ScannerRecord | Truncated]:
    """The lines of VMDR's list of detections, which names QIDs alone: their CVEs are in Qualys's
    KnowledgeBase (:mod:`suture.imports.qualys_knowledge`). A list that has a warning, such as 1980
    where there are more hosts than a request may have, is not known to be whole."""
    host = ScannerHost()
    about: dict[str, str] = {}
    wanted = ("ID", "IP", "IPV6", "DNS", "NETBIOS", "OS", "TRACKING_METHOD", "QG_HOSTID")
    with opened(path) as stream:
        for element in elements(
            stream,
            *wanted,
            "DETECTION",
            "WARNING",
            name=path.name,
            opening=("HOST", "DETECTION_LIST"),
            doctype=True,
        ):
            if element.tag == "HOST":
                about = {}
            elif element.tag in wanted:
                about.setdefault(element.tag, element.text or "")
            elif element.tag == "DETECTION_LIST":
                host = _asset(about)
            elif element.tag == "DETECTION":
                yield _detection(element, host, {})
            elif element.tag == "WARNING":
                code, text = element.findtext("CODE"), element.findtext("TEXT")
                yield Truncated(line(f"{code or ''} {text or ''}") or "a warning without words")


def of_detections_csv(path: Path) -> Iterator[ScannerRecord | Truncated]:
    """The same list as CSV. Below it stands how it ended: without that, or with other words than
    that it is finished, it is not known to be whole."""
    rows = Rows(path, DETECTION_COLUMNS)
    ended = [_BODY] not in rows.preamble
    said: list[str] = []
    for row in rows:
        first = next(iter(row.values())).strip()
        if first == _BODY_ENDS:
            ended = True
        elif first.startswith("----"):
            continue
        elif ended and [_BODY] in rows.preamble:
            said += [value for value in row.values() if value.strip().lower() not in _FINE]
        else:
            yield _listed(row)
    if not ended:
        yield Truncated("the file ends in the middle of the list")
    elif said:
        yield Truncated(line(" ".join(said)))


def _listed(row: Mapping[str, str]) -> ScannerRecord:
    closed = flag(row.get("ignored")) or flag(row.get("disabled"))
    qid = row.get("qid", "").strip()
    return ScannerRecord(
        scanner=Scanner.QUALYS,
        host=identity(
            row.get("ip address"),
            row.get("ipv6 address"),
            row.get("dns name"),
            row.get("netbios name"),
            row.get("fqdn"),
            ids=(row.get("host id"), row.get("qg hostid")),
            os=row.get("operating system"),
            credentialed=_inside(row.get("tracking method", "")),
        ),
        plugin=line(qid, 128),
        title=bare_title(line(qid, 120)),
        state=_state(
            row.get("type", ""), "ignored" if closed else row.get("status", ""), None, (), ""
        ),
        severity=severity(row.get("severity")),
        packages=_packages(row.get("results", "")),
        port=port_of(row.get("port")),
        protocol=line(row.get("protocol"), 16).lower(),
        seen_at=moment(row.get("last found datetime", "")),
    )


def of_scan(path: Path) -> Iterator[ScannerRecord]:
    """The lines of a scan's own XML; raises :class:`UnreadableError`."""
    host, os, seen_at, section = ScannerHost(), "", "", Element("CAT")
    kinds = {"VULN": "Vuln", "PRACTICE": "Practice", "INFO": "Ig", "SERVICE": "Ig"}
    with opened(path) as stream:
        for element in elements(
            stream,
            *("KEY", "OS", *kinds),
            name=path.name,
            opening=("IP", "CAT"),
            doctype=True,
        ):
            if element.tag == "KEY":
                seen_at = (element.text or "") if element.get("value") == "DATE" else seen_at
            elif element.tag == "IP":
                host, os = identity(element.get("value"), element.get("name")), ""
            elif element.tag == "OS":
                os = element.text or ""
                host = identity(*host.addresses, *host.names, os=os)
            elif element.tag == "CAT":
                section = Element("CAT", element.attrib)
            else:
                yield _scanned(element, kinds[element.tag], host, section, seen_at)


def _scanned(
    found: Element, kind: str, host: ScannerHost, section: Element, seen_at: str
) -> ScannerRecord:
    ids = " ".join(one.text or "" for one in found.iterfind("CVE_ID_LIST/CVE_ID/ID"))
    cves = cves_in(f"{found.get('cveid', '')} {ids}")
    solution = text_of(found.findtext("SOLUTION"))
    return ScannerRecord(
        scanner=Scanner.QUALYS,
        host=host,
        plugin=line(found.get("number"), 128),
        title=text_of(found.findtext("TITLE")),
        state=_state(kind, "", flag(found.findtext("PATCHABLE")), cves, solution),
        severity=severity(found.get("severity")),
        cves=cves,
        packages=_packages(found.findtext("RESULT") or ""),
        port=port_of(section.get("port")),
        protocol=line(section.get("protocol"), 16).lower(),
        seen_at=moment(seen_at),
        solution=solution,
    )


def of_csv(path: Path) -> Iterator[ScannerRecord]:
    """The lines of a CSV report, VMDR's or another; raises :class:`UnreadableError`."""
    rows = Rows(path, COLUMNS)
    zone = _zone(rows.preamble)
    for row in rows:
        yield _row({name: "" if value == "'-" else value for name, value in row.items()}, zone)


def _zone(preamble: list[list[str]]) -> timezone:
    """VMDR says above the table in which zone its times are (``GMT-0500``)."""
    found = _OFFSET.search(" ".join(" ".join(row) for row in preamble)[:4096])
    if found is None:
        return UTC
    ahead = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(ahead if found[1] == "+" else -ahead)


def _row(row: Mapping[str, str], zone: timezone) -> ScannerRecord:
    cves = cves_in(f"{row.get('cve id', '')} {row.get('cve', '')}")
    solution = text_of(row.get("solution"))
    tracking = row.get("tracking method") or row.get("detection source", "")
    kind = row.get("type") or row.get("type detected", "")
    status = row.get("vuln status") or row.get("status", "")
    if any(row.get(column, "").lower() == "yes" for column in ("disabled", "ignored")):
        status = "ignored"
    return ScannerRecord(
        scanner=Scanner.QUALYS,
        host=identity(
            row.get("ip") or row.get("asset ipv4"),
            row.get("asset ipv6"),
            row.get("dns") or row.get("asset name"),
            row.get("fqdn"),
            row.get("netbios"),
            ids=(row.get("asset id"), row.get("host id"), row.get("qg host id")),
            os=row.get("os") or row.get("operating system"),
            credentialed=_inside(tracking),
        ),
        plugin=line(row.get("qid"), 128),
        title=text_of(row.get("title")),
        state=_state(kind, status, flag(row.get("vuln patchable")), cves, solution),
        severity=severity(row.get("severity")),
        cves=cves,
        packages=_packages(row.get("results", "")),
        port=port_of(row.get("port")),
        protocol=line(row.get("protocol"), 16).lower(),
        seen_at=moment(row.get("last detected", ""), zone),
        solution=solution,
    )


def _state(
    kind: str, status: str, patch: bool | None, cves: tuple[str, ...], solution: str
) -> ScannerState:
    if status.strip().lower() in _CLOSED:
        return ScannerState.CLOSED
    return state_of(
        nothing_wrong=kind.strip().lower() in _INFORMATION,
        patch=patch or None,
        cves=cves,
        solution=solution,
    )


def severity(text: str | None) -> Severity:
    """Qualys's levels from 1 to 5."""
    return _SEVERITIES.get((text or "").strip(), Severity.UNKNOWN)


def flag(text: str | None) -> bool | None:
    """Yes or no as Qualys writes it, None where it says neither."""
    return {"1": True, "yes": True, "0": False, "no": False}.get((text or "").strip().lower())


def text_of(markup: str | None) -> str:
    """Qualys writes HTML into its texts."""
    return line(html.unescape(_TAG.sub(" ", (markup or "")[:8000])))


def _packages(results: str) -> tuple[PackageEvidence, ...]:
    """The table that Qualys's local checks give: package, installed, required version."""
    heading = _TABLE.search(results[:1_000_000])
    if heading is None:
        return ()
    found = []
    for row in results[heading.end() : 1_000_000].strip().splitlines()[:MAX_PACKAGES]:
        words = row.split()
        if len(words) >= 2:
            fixed = words[2] if len(words) > 2 else ""
            found.append(PackageEvidence(*(line(word, 255) for word in (*words[:2], fixed))))
    return tuple(found)
