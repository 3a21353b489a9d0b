"""Qualys's detections, which name QIDs alone, before and after its KnowledgeBase came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from suture.core.assessment.findings import Finding
from suture.core.scanners.reconciling import Likely
from suture.core.scanners.scanner import ScannerState
from suture.services import findings, fleet, scanner_reports
from suture.services.errors import ServiceError
from suture.services.importing import Imported, import_file
from suture.services.knowledge_bases import KnowledgeBase
from suture.services.scanner_reports import Misfit, Result, result
from suture.services.workspace import Workspace
from suture.store import events
from tests.unit.imports.samples import RECORDED
from tests.unit.services.scanned import scanned_fleet

KNOWLEDGE = RECORDED / "qualys-knowledgebase.xml"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return scanned_fleet(tmp_path)


def detections(*lines: tuple[int, str], host: str = "web1") -> str:
    found = "".join(
        f"<DETECTION><QID>{qid}</QID><TYPE>Confirmed</TYPE><SEVERITY>4</SEVERITY>"
        f"<STATUS>{status}</STATUS></DETECTION>"
        for qid, status in lines
    )
    return (
        f"<HOST_LIST_VM_DETECTION_OUTPUT><HOST><DNS>{host}</DNS>"
        f"<DETECTION_LIST>{found}</DETECTION_LIST></HOST></HOST_LIST_VM_DETECTION_OUTPUT>"
    )


REPORT = detections((178000, "Active"), (178001, "Fixed"), (38170, "New"), (105000, "Active"))


def taken(workspace: Workspace, content: str = REPORT) -> Result:
    path = workspace.home / "detections.xml"
    path.write_text(content)
    kept = import_file(workspace, path)
    assert isinstance(kept, Imported)
    return result(workspace, kept.report.id, new=kept.new)


def known(workspace: Workspace, path: Path = KNOWLEDGE) -> KnowledgeBase:
    kept = import_file(workspace, path)
    assert isinstance(kept, KnowledgeBase)
    return kept


def agreed(found: Sequence[Finding]) -> set[str]:
    return {one.cve for one in found if any("Qualys saw it too" in why for why in one.reasons)}


def test_without_a_knowledge_base_nothing_is_compared_and_that_is_said(
    workspace: Workspace,
) -> None:
    done = taken(workspace)
    (web1,) = done.hosts
    assert (web1.agrees, web1.only_scanner, web1.only_us, web1.configuration) == (0, 0, 0, 0)
    assert [(one.what, one.subject) for one in done.unplaced] == [
        (Misfit.WITHOUT_CVE, f"{qid}: QID {qid}") for qid in (105000, 178000, 38170)
    ]
    (why,) = {one.why for one in done.unplaced}
    assert why == "Qualys names a QID alone, and its KnowledgeBase is not here"
    assert all("suture import" in one.remedy for one in done.unplaced)
    assert done.incomplete


def test_a_knowledge_base_names_the_cves_of_reports_before_and_after_it(
    workspace: Workspace,
) -> None:
    before = taken(workspace)
    kept = known(workspace)
    assert (kept.checks, kept.changed, kept.known) == (4, 4, 4)
    after = taken(workspace, REPORT.replace("<DNS>", "<ID>7</ID><DNS>"))
    again = result(workspace, before.report.id)
    assert again.hosts[0].reasons == after.hosts[0].reasons
    for done in (again, after):
        (web1,) = done.hosts
        assert (web1.agrees, web1.only_scanner, web1.only_us) == (1, 1, 1)
        assert web1.reasons == ((Likely.BACKPORT, 1), (Likely.SCANNER_SAYS_CLOSED, 1))
        assert web1.configuration == 1
        (obsolete,) = done.unplaced
        assert obsolete.subject == "105000: Obsolete software"
        assert (obsolete.why, obsolete.remedy) == ("the scanner names no CVE for it", "")
        assert not done.incomplete


def test_findings_explanations_and_settings_are_told_by_it(workspace: Workspace) -> None:
    taken(workspace)
    assert agreed(findings.fleet_findings(workspace).findings) == set()
    assert scanner_reports.configuration(workspace) == ()
    known(workspace)
    assert agreed(findings.fleet_findings(workspace).findings) == {"CVE-2026-0001"}
    (setting,) = scanner_reports.configuration(workspace)
    assert (setting.check, setting.remedy) == ("qualys 38170", "Make another certificate.")
    web1 = findings.explain(workspace, "CVE-2026-0002", host="web1")[0]
    assert [(one.check, one.state) for one in web1.scanners] == [
        ("178000", ScannerState.VULNERABILITY)
    ]
    closed = findings.explain(workspace, "CVE-2026-0004", host="web1")[0]
    assert [one.state for one in closed.scanners] == [ScannerState.CLOSED]


def test_a_qid_that_it_does_not_know_is_listed_with_the_remedy(workspace: Workspace) -> None:
    known(workspace)
    done = taken(workspace, detections((178000, "Active"), (999999, "Active")))
    (unknown,) = done.unplaced
    assert (unknown.what, unknown.subject) == (Misfit.WITHOUT_CVE, "999999: QID 999999")
    assert unknown.why.startswith("the KnowledgeBase, last changed on ")
    assert "take it in: suture import" in unknown.remedy
    assert done.incomplete


def test_the_same_one_twice_changes_nothing(workspace: Workspace) -> None:
    known(workspace)
    assert known(workspace).changed == 0
    with fleet.opened(workspace) as store, store.read() as connection:
        kinds = [event.kind for event in events.stream(connection)]
    assert kinds.count("scanner-knowledge.imported") == 1


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda text: text[: len(text) * 3 // 4], "not well-formed"),
        (lambda text: text[: text.index("<VULN>")] + text[text.index("</VULN_LIST>") :], "without"),
    ],
)
def test_a_damaged_one_leaves_nothing(
    workspace: Workspace, damage: Callable[[str], str], why: str, tmp_path: Path
) -> None:
    path = tmp_path / "knowledge.xml"
    path.write_text(damage(KNOWLEDGE.read_text()))
    with pytest.raises(ServiceError, match=why):
        import_file(workspace, path)
    assert known(workspace).changed == 4


def test_a_report_that_describes_its_checks_itself_needs_none(workspace: Workspace) -> None:
    path = workspace.home / "report.csv"
    path.write_text(
        "IP,DNS,QID,Title,Severity,Vuln Status,CVE ID,Solution\n"
        "192.0.2.1,web1,105971,EOL/Obsolete Software,5,Active,,Upgrade to a newer version\n"
        "192.0.2.1,web1,7,,5,Active,,\n"
    )
    kept = import_file(workspace, path)
    assert isinstance(kept, Imported)
    obsolete, unknown = result(workspace, kept.report.id).unplaced
    assert (obsolete.why, obsolete.remedy) == ("the scanner names no CVE for it", "")
    assert unknown.subject == "7"
    assert "suture import" in unknown.remedy
