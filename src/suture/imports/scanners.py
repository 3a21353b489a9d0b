"""Which scanner wrote a report, and in which format: told from the content, not from the name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from suture.core.documents import Document
from suture.core.scanners.checks import Check
from suture.core.scanners.scanner import Scanner, ScannerRecord, Truncated
from suture.imports import nessus, openscap, openvas, qualys, qualys_knowledge
from suture.imports.rows import header
from suture.reading import UnreadableError, opened, root_of

Read = Callable[[Path], Iterator[ScannerRecord | Truncated]]
ReadChecks = Callable[[Path], Iterator[Check]]


class Format(Document, frozen=True):
    """A kind of report, and how it is read: one pass of a file at a time, in bounded memory."""

    scanner: Scanner
    name: str
    read: Read


class Catalogue(Document, frozen=True):
    """What a scanner says of its checks, without a host."""

    scanner: Scanner
    name: str
    read: ReadChecks


KNOWLEDGE_BASE = Catalogue(Scanner.QUALYS, "Qualys KnowledgeBase", qualys_knowledge.of_xml)

_BY_ROOT: dict[str, Format | Catalogue] = {
    "NessusClientData_v2": Format(Scanner.NESSUS, "Nessus XML", nessus.of_xml),
    "report": Format(Scanner.OPENVAS, "OpenVAS XML", openvas.of_xml),
    "get_reports_response": Format(Scanner.OPENVAS, "OpenVAS XML", openvas.of_xml),
    "ASSET_DATA_REPORT": Format(Scanner.QUALYS, "Qualys report XML", qualys.of_assets),
    "SCAN": Format(Scanner.QUALYS, "Qualys scan XML", qualys.of_scan),
    "HOST_LIST_VM_DETECTION_OUTPUT": Format(
        Scanner.QUALYS, "Qualys VMDR XML", qualys.of_detections
    ),
    "KNOWLEDGE_BASE_VULN_LIST_OUTPUT": KNOWLEDGE_BASE,
    "Benchmark": Format(Scanner.OPENSCAP, "XCCDF", openscap.of_xml),
    "TestResult": Format(Scanner.OPENSCAP, "XCCDF", openscap.of_xml),
    "asset-report-collection": Format(Scanner.OPENSCAP, "ARF", openscap.of_xml),
}
_BY_COLUMNS = (
    (nessus.COLUMNS, Format(Scanner.NESSUS, "Nessus CSV", nessus.of_csv)),
    (openvas.COLUMNS, Format(Scanner.OPENVAS, "OpenVAS CSV", openvas.of_csv)),
    (qualys.COLUMNS, Format(Scanner.QUALYS, "Qualys CSV", qualys.of_csv)),
    (
        qualys.DETECTION_COLUMNS,
        Format(Scanner.QUALYS, "Qualys detections CSV", qualys.of_detections_csv),
    ),
)
KNOWN = (
    "Nessus (.nessus or CSV), OpenVAS (XML or CSV), Qualys (a scan as XML; a report by asset, or "
    "VMDR's list of detections, as XML or CSV; its KnowledgeBase), OpenSCAP (XCCDF or ARF)"
)


def recognise(path: Path) -> Format | Catalogue:
    """Raises :class:`UnreadableError` where it is no report of a scanner that is known."""
    if _is_xml(path):
        with opened(path) as stream:
            root = root_of(stream, name=path.name)
        if root in _BY_ROOT:
            return _BY_ROOT[root]
        raise UnreadableError(f"{path.name} is XML, but no scanner's report: <{root[:80]}>")
    for columns, format_ in _BY_COLUMNS:
        if header(path, columns) is not None:
            return format_
    raise UnreadableError(
        f"{path.name} is no scanner's report: neither XML nor a CSV that is known"
    )


def _is_xml(path: Path) -> bool:
    with opened(path) as stream:
        head = stream.read(256)
    return head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<")
