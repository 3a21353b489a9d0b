"""From a scanner's file to what it means for the fleet, and back out."""

from __future__ import annotations

import gzip
import io
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from suture.cli.findings_view import print_explanations
from suture.core.documents import decode, encode
from suture.core.intelligence.advisories import Severity
from suture.core.scanners.reconciling import Agreement, Likely
from suture.core.scanners.scanner import Scanner, ScannerState
from suture.services import findings, fleet, scanner_reports, tallying
from suture.services.errors import NotFoundError, ServiceError
from suture.services.importing import Imported, import_file
from suture.services.scanner_reports import Misfit, Result, compared, result
from suture.services.workspace import Workspace
from suture.store import events
from suture.store.scanner_reports import Summary, latest
from tests.unit.core.builders import NOW, host
from tests.unit.imports.test_qualys import DETECTIONS, PART
from tests.unit.services.scanned import scanned_fleet

SCANNED = int((NOW - timedelta(hours=1)).timestamp())


def item(plugin: int, *cves: str, severity: int = 3, family: str = "Debian Local Security Checks",
         solution: str = "Upgrade.") -> str:  # fmt: skip
    named = "".join(f"<cve>{cve}</cve>" for cve in cves)
    return (
        f'<ReportItem port="443" protocol="tcp" severity="{severity}" pluginID="{plugin}" '
        f'pluginName="Check {plugin}" pluginFamily="{family}">{named}'
        f"<solution>{solution}</solution></ReportItem>"
    )


def seen(name: str, *items: str) -> str:
    return (
        f'<ReportHost name="{name}"><HostProperties>'
        '<tag name="Credentialed_Scan">true</tag>'
        f'<tag name="HOST_END_TIMESTAMP">{SCANNED}</tag></HostProperties>{"".join(items)}'
        "</ReportHost>"
    )


def report(*hosts: str) -> bytes:
    return f"<NessusClientData_v2><Report>{''.join(hosts)}</Report></NessusClientData_v2>".encode()


WEB1 = seen(
    "web1",
    item(10, "CVE-2026-0001"),
    item(11, "CVE-2026-0002"),
    item(12),
    item(13, severity=2, family="General", solution="Disable TRACE."),
    item(14, severity=0),
)
REPORT = report(
    WEB1,
    seen("db1", item(10, "CVE-2026-0003")),
    seen("printer", item(20, "CVE-2026-0005")),
    seen("192.0.2.20", item(20, "CVE-2026-0005")),
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return scanned_fleet(tmp_path)


def imported(workspace: Workspace, content: bytes = REPORT, name: str = "weekly.bin") -> Result:
    path = workspace.home / name
    path.write_bytes(content)
    kept = import_file(workspace, path)
    assert isinstance(kept, Imported)
    return result(workspace, kept.report.id, new=kept.new)


def test_a_report_is_compared_host_by_host(workspace: Workspace) -> None:
    done = imported(workspace)
    assert (done.report.scanner, done.report.summary.format) == (Scanner.NESSUS, "Nessus XML")
    assert (done.report.name, done.report.summary.hosts) == ("weekly.bin", 4)
    assert done.report.summary.lines[ScannerState.VULNERABILITY] == 6
    db1, web1 = done.hosts
    assert (web1.agrees, web1.only_scanner, web1.only_us, web1.unknown) == (1, 1, 1, 0)
    assert (web1.configuration, web1.how) == (1, "by name")
    assert web1.reasons == ((Likely.BACKPORT, 1), (Likely.NO_CHECK, 1))
    assert (db1.unknown, db1.reasons) == (1, ((Likely.NEVER_SCANNED, 1),))


def test_what_could_not_be_placed_is_listed_with_its_reason(workspace: Workspace) -> None:
    done = imported(workspace)
    assert [(one.what, one.subject, one.lines) for one in done.unplaced] == [
        (Misfit.UNKNOWN_HOST, "printer", 1),
        (Misfit.AMBIGUOUS_HOST, "192.0.2.20", 1),
        (Misfit.WITHOUT_CVE, "12: Check 12", 1),
    ]
    assert done.unplaced[1].why == "several hosts have this address: cache-a, cache-b"
    assert done.incomplete


def test_a_host_that_a_truncated_report_leaves_out_keeps_what_was_said_before(
    workspace: Workspace,
) -> None:
    about = "<ID>7</ID><IP>192.0.2.1</IP>"
    ours = DETECTIONS.replace(about, "").replace("web1.example.org", "web1")
    whole = imported(workspace, ours.encode(), "whole.xml")
    other = PART.replace(about, "").replace("web1.example.org", "db1").replace("0a1b", "0c")
    part = imported(workspace, other.encode(), "part.xml")
    assert (whole.report.summary.truncated, whole.hosts[0].host) == ("", "web1")
    assert part.report.summary.truncated.startswith("1980 ")
    assert part.incomplete
    with fleet.opened(workspace) as store, store.read() as connection:
        newest = latest(connection, ["web1", "db1"])
    assert {one.host: one.report for one in newest} == {
        "web1": whole.report.id,
        "db1": part.report.id,
    }


def test_a_report_from_before_is_read_as_it_was_kept() -> None:
    kept = b'{"format":"Qualys VMDR XML","hosts":1,"lines":{"closed":1},"compares":false}'
    assert encode(decode(kept, Summary)) == kept


def test_a_report_that_is_all_compared_is_complete(workspace: Workspace) -> None:
    assert not imported(workspace, report(WEB1, seen("printer", item(20)))).incomplete
    assert imported(workspace, report(seen("printer", item(20)))).incomplete


def test_the_same_file_twice_changes_nothing(workspace: Workspace) -> None:
    first = imported(workspace)
    again = imported(workspace, name="copy.bin")
    assert (first.new, again.new) == (True, False)
    assert again.report == first.report
    with fleet.opened(workspace) as store, store.read() as connection:
        kinds = [event.kind for event in events.stream(connection)]
    assert kinds.count("scanner-report.imported") == 1
    assert len(scanner_reports.listing(workspace)) == 1


def test_a_damaged_report_leaves_nothing(workspace: Workspace) -> None:
    with pytest.raises(ServiceError, match=r"weekly\.bin is not well-formed XML") as caught:
        imported(workspace, REPORT[:-30])
    assert "Known are Nessus" in caught.value.remedy
    assert scanner_reports.listing(workspace) == ()
    assert [path.name for path in workspace.home.glob("import-*")] == []


@pytest.mark.parametrize("limit", ["MAX_HOSTS", "MAX_LINES"])
def test_a_report_without_end_is_refused(
    workspace: Workspace, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallying, limit, 3)
    with pytest.raises(ServiceError, match="too large"):
        imported(workspace)
    assert scanner_reports.listing(workspace) == ()


def test_a_report_without_a_result_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ServiceError, match="without a result"):
        imported(workspace, report())


def test_standard_input_is_read_twice_where_that_is_needed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(gzip.compress(REPORT))))
    kept = import_file(workspace, Path("-"))
    assert isinstance(kept, Imported)
    assert (kept.report.name, kept.new) == ("standard input", True)
    assert not list(workspace.home.glob("import-*"))


def test_a_host_that_is_enrolled_later_is_placed(workspace: Workspace) -> None:
    imported(workspace)
    fleet.add(workspace, (host("printer", address="192.0.2.9"),))
    assert "printer" in {one.host for one in imported(workspace).hosts}
    fleet.remove(workspace, ("db1", "cache-a"))
    hosts = {one.host for one in imported(workspace).hosts}
    assert hosts == {"cache-b", "printer", "web1"}


def test_one_host_is_shown_with_every_vulnerability(workspace: Workspace) -> None:
    number = imported(workspace).report.id
    with compared(workspace, number, host="web1") as comparison:
        (web1,) = comparison
    assert [(one.cve, one.agreement) for one in web1.vulnerabilities] == [
        ("CVE-2026-0001", Agreement.AGREES),
        ("CVE-2026-0002", Agreement.ONLY_SCANNER),
        ("CVE-2026-0004", Agreement.ONLY_US),
    ]
    assert web1.vulnerabilities[1].reason == (
        "the fix came in 3 (DSA-2), 3 is installed; it went by upstream's version"
    )


def test_what_no_patch_closes_is_listed_from_the_newest_report(workspace: Workspace) -> None:
    imported(workspace)
    (one,) = scanner_reports.configuration(workspace)
    assert (one.host, one.check, one.title) == ("web1", "nessus 13", "Check 13 (443/tcp)")
    assert (one.severity, one.remedy) == (Severity.MEDIUM, "Disable TRACE.")
    assert scanner_reports.configuration(workspace, names=("db1",)) == ()
    imported(workspace, report(seen("web1", item(10, "CVE-2026-0001"))), "clean.bin")
    assert scanner_reports.configuration(workspace) == ()


def test_our_own_findings_say_that_a_scanner_agrees(workspace: Workspace) -> None:
    def reasons() -> dict[str, str]:
        found = findings.fleet_findings(workspace).findings
        return {one.cve: one.reasons[-1] for one in found}

    before = reasons()
    imported(workspace)
    says = "Nessus saw it too on 2026-03-02 (check 10)"
    assert reasons() == before | {"CVE-2026-0001": says}
    (explained,) = findings.explain(workspace, "CVE-2026-0001", host="web1")
    assert explained.finding is not None
    assert explained.finding.reasons[-1] == says


def test_a_removed_report_is_gone_and_that_is_logged(workspace: Workspace) -> None:
    number = imported(workspace).report.id
    scanner_reports.remove(workspace, number)
    assert scanner_reports.listing(workspace) == ()
    with pytest.raises(NotFoundError, match=f"no report {number}"):
        result(workspace, number)
    with fleet.opened(workspace) as store, store.read() as connection:
        assert [event.kind for event in events.stream(connection)][-1] == "scanner-report.removed"


def test_a_fleet_of_nobody_can_be_told_of_a_report(tmp_path: Path) -> None:
    empty = Workspace(tmp_path / "home", f"sqlite:///{tmp_path}/home/s.sqlite")
    empty.prepare()
    done = imported(empty)
    assert {one.what for one in done.unplaced} == {Misfit.UNKNOWN_HOST}
    assert done.incomplete


def test_what_only_a_scanner_sees_is_explained_in_its_words(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    only = seen("web1", item(10, "CVE-2026-0077"), item(12, "CVE-2026-00777"))
    imported(workspace, report(only, seen("db1", item(10, "CVE-2026-0077"))))
    web1, db1 = findings.explain(workspace, "CVE-2026-0077")
    assert (web1.host, web1.finding, web1.answer) == (
        "web1",
        None,
        "no installed package is named for it",
    )
    (word,) = web1.scanners
    assert (word.scanner, word.state, word.check) == (
        Scanner.NESSUS,
        ScannerState.VULNERABILITY,
        "10",
    )
    assert (db1.host, db1.answer) == ("db1", "unknown: this host was never scanned by Suture")
    assert db1.scanners == web1.scanners

    print_explanations([web1])
    shown = " ".join(capsys.readouterr().out.split())
    assert "Nessus says on 2026-03-02 (report 1, check 10): open, high: Check 10 Upgrade." in shown


def test_what_nobody_names_is_not_known(workspace: Workspace) -> None:
    imported(workspace)
    with pytest.raises(NotFoundError, match="nothing is known about CVE-2026-0099"):
        findings.explain(workspace, "CVE-2026-0099")
