"""Nessus's own XML, and the CSV of Nessus, Tenable.io and Tenable.sc."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from suture.core.intelligence.advisories import Severity
from suture.core.scanners.scanner import PackageEvidence, Scanner, ScannerHost, ScannerState
from suture.imports import nessus
from tests.unit.imports.samples import RECORDED, whole, written


def test_a_real_report_is_read() -> None:
    info, php, directories, unsupported = nessus.of_xml(RECORDED / "nessus.nessus")
    assert php.scanner is Scanner.NESSUS
    assert php.host == ScannerHost(
        addresses=("44.228.249.3",),
        names=("testphp.vulnweb.com",),
        os="Linux Kernel 2.6",
        credentialed=False,
    )
    assert (php.plugin, php.title) == ("31649", "PHP 5.x < 5.2 Multiple Vulnerabilities")
    assert (php.port, php.protocol) == (80, "tcp")
    assert php.seen_at == datetime(2022, 3, 23, 14, 7, 52, tzinfo=UTC)
    assert php.solution == "Upgrade to PHP version 5.2.0 or later."
    assert (len(php.cves), php.cves[0], php.severity) == (15, "CVE-2006-1015", Severity.HIGH)
    assert [one.state for one in (info, php, directories, unsupported)] == [
        ScannerState.INFORMATION,
        ScannerState.VULNERABILITY,
        ScannerState.CONFIGURATION,
        ScannerState.VULNERABILITY,
    ]
    assert unsupported.cves == ()


def test_a_host_is_known_by_its_agent_and_by_what_the_scan_called_it(tmp_path: Path) -> None:
    report = written(
        tmp_path,
        '<NessusClientData_v2><Report><ReportHost name="web1"><HostProperties>'
        '<tag name="host-ip">192.0.2.1</tag><tag name="host-uuid">0a1b-22</tag>'
        '<tag name="Credentialed_Scan">true</tag><tag name="HOST_END">Tue Feb  3 07:04:05 2026'
        '</tag></HostProperties><ReportItem severity="1" pluginID="1"/></ReportHost>'
        '<ReportHost name="192.0.2.2"><ReportItem severity="1" pluginID="2"/></ReportHost>'
        "</Report></NessusClientData_v2>",
    )
    first, second = nessus.of_xml(report)
    assert first.host == ScannerHost(("192.0.2.1",), ("web1",), ("0a1b-22",), credentialed=True)
    assert first.seen_at == datetime(2026, 2, 3, 7, 4, 5, tzinfo=UTC)
    assert (second.host, second.seen_at) == (ScannerHost(("192.0.2.2",)), None)


def test_what_compliance_checks_say_is_configuration(tmp_path: Path) -> None:
    items = "".join(
        f'<ReportItem severity="3" pluginID="21157" xmlns:cm="http://www.nessus.org/cm">'
        f"<cm:compliance-check-name>1.1 {result}</cm:compliance-check-name>"
        f"<cm:compliance-result>{result}</cm:compliance-result></ReportItem>"
        for result in ("FAILED", "PASSED", "ERROR")
    )
    report = written(tmp_path, f'<r><ReportHost name="web1">{items}</ReportHost></r>')
    assert [(one.title, one.state) for one in nessus.of_xml(report)] == [
        ("1.1 FAILED", ScannerState.CONFIGURATION),
        ("1.1 PASSED", ScannerState.CLOSED),
        ("1.1 ERROR", ScannerState.UNKNOWN),
    ]


def test_the_csv_of_tenable_io_is_read() -> None:
    kernel, mariadb = nessus.of_csv(RECORDED / "tenable-io.csv")
    assert kernel.host.names == ("ip-127-0-0-1.us-west-2.compute.internal",)
    assert kernel.host.credentialed is True
    assert kernel.cves == ("CVE-2023-32233",)
    assert kernel.packages[0] == PackageEvidence(
        "kernel", "4.14.314-237.533.amzn2", "4.14.314-238.539.amzn2"
    )
    assert kernel.seen_at == datetime(2023, 6, 8, 1, 58, 56, 166000, tzinfo=UTC)
    assert (mariadb.state, mariadb.severity) == (ScannerState.VULNERABILITY, Severity.HIGH)


def test_the_csv_of_tenable_sc_is_read() -> None:
    hashing, trust = nessus.of_csv(RECORDED / "tenable-sc.csv")
    assert hashing.host.addresses == ("10.1.1.1",)
    assert (hashing.plugin, hashing.port, hashing.protocol) == ("35291", 443, "tcp")
    assert {hashing.state, trust.state} == {ScannerState.CONFIGURATION}


def test_the_csv_of_nessus_itself_is_read(tmp_path: Path) -> None:
    report = written(
        tmp_path,
        "Plugin ID,CVE,CVSS v2.0 Base Score,Risk,Host,Protocol,Port,Name,Synopsis,Description,"
        "Solution,See Also,Plugin Output\n"
        "10,CVE-2026-0001,7.5,High,web1,tcp,0,Old nginx,,,Update nginx.,,\n"
        "11,,,None,192.0.2.1,tcp,22,SSH Server,,,n/a,,\n",
    )
    old, info = nessus.of_csv(report)
    assert (old.host.names, old.state) == (("web1",), ScannerState.VULNERABILITY)
    assert (info.host.addresses, info.state) == (("192.0.2.1",), ScannerState.INFORMATION)
    assert info.solution == ""


def test_whole_reports_are_read() -> None:
    lines = list(nessus.of_xml(whole("tenable/nessus/nessus_with_cvssv3.nessus")))
    assert len(lines) == 49
    assert len({cve for one in lines for cve in one.cves}) == 136
    assert len(list(nessus.of_xml(whole("tenable/nessus/nessus_many_vuln.xml")))) == 7
    assert len(list(nessus.of_csv(whole("tenable/tenable_many_vuln.csv")))) == 20
    assert len(list(nessus.of_csv(whole("tenable/nessus/nessus_many_vuln.csv")))) == 4
