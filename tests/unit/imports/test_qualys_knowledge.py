"""Qualys's KnowledgeBase, written after its document type."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from bench.reports import write_knowledge
from suture.core.intelligence.advisories import Severity
from suture.core.scanners.checks import Check
from suture.core.scanners.scanner import ScannerState
from suture.imports import qualys_knowledge
from suture.imports.scanners import recognise
from suture.reading import UnreadableError
from tests.unit.imports.samples import RECORDED, written


def knowledge(*checks: str) -> str:
    return f"<KNOWLEDGE_BASE_VULN_LIST_OUTPUT>{''.join(checks)}</KNOWLEDGE_BASE_VULN_LIST_OUTPUT>"


def test_checks_are_read_with_their_cves() -> None:
    nginx, openssl, certificate, obsolete = qualys_knowledge.of_xml(
        RECORDED / "qualys-knowledgebase.xml"
    )
    assert nginx == Check(
        id="178000",
        title="Debian Security Update for nginx & others (DSA-1)",
        severity=Severity.HIGH,
        cves=("CVE-2026-0001", "CVE-2026-0002"),
        solution="Refer to DSA-1 for updates.",
        patch=True,
    )
    assert (openssl.cves, openssl.solution) == (("CVE-2026-0004",), "")
    assert (certificate.patch, certificate.state) == (False, ScannerState.CONFIGURATION)
    assert (obsolete.cves, obsolete.state) == ((), ScannerState.VULNERABILITY)


@pytest.mark.parametrize("qid", ["", "12a", "1" * 13, "<b>1</b>", "\u0661"])
def test_a_qid_that_is_no_number_is_refused(tmp_path: Path, qid: str) -> None:
    path = written(tmp_path, knowledge(f"<VULN><QID>{qid}</QID></VULN>"))
    with pytest.raises(UnreadableError, match="QID is not a number"):
        list(qualys_knowledge.of_xml(path))


def test_one_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qualys_knowledge, "MAX_CHECKS", 2)
    path = written(tmp_path, knowledge(*(f"<VULN><QID>{n}</QID></VULN>" for n in range(3))))
    with pytest.raises(UnreadableError, match="more than 2 checks"):
        list(qualys_knowledge.of_xml(path))


def test_a_large_one_is_read_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "knowledge"
    size = 12_000_000
    count = write_knowledge(path, size)
    tracemalloc.start()
    assert sum(1 for _ in recognise(path).read(path)) == count
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 6
