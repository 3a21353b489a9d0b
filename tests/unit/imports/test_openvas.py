"""OpenVAS's XML and CSV."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from suture.core.intelligence.advisories import Severity
from suture.core.scanners.scanner import PackageEvidence, ScannerHost, ScannerState
from suture.imports import openvas
from tests.unit.imports.samples import RECORDED, whole, written


def test_a_real_report_is_read() -> None:
    rexec, twiki = openvas.of_xml(RECORDED / "openvas.xml")
    assert rexec.host == ScannerHost(names=("b6b9f466d63",))
    assert (rexec.plugin, rexec.title) == (
        "1.3.6.1.4.1.25623.1.0.100111",
        "The rexec service is running",
    )
    assert (rexec.port, rexec.protocol, rexec.severity) == (512, "tcp", Severity.CRITICAL)
    assert (rexec.state, rexec.cves) == (ScannerState.CONFIGURATION, ("CVE-1999-0618",))
    assert rexec.seen_at == datetime(2023, 9, 29, 11, 36, 37, 717168, tzinfo=UTC)
    assert (twiki.state, twiki.cves) == (ScannerState.VULNERABILITY, ("CVE-2018-20212",))


def result(threat: str = "High", severity: str = "7.5", inner: str = "") -> str:
    return (
        "<report><report><results><result><host>192.0.2.1<asset asset_id='0a-1b'/><hostname>web1"
        f"</hostname></host><port>general/tcp</port><nvt oid='1'><name>Check</name>{inner}</nvt>"
        f"<threat>{threat}</threat><severity>{severity}</severity><description>"
        "Vulnerable package:   nginx\nInstalled version:    nginx-1.22.1-9\n"
        "Fixed version:      >=nginx-1.22.1-9+deb12u1</description></result></results></report>"
        "</report>"
    )


def test_a_local_check_names_host_solution_and_package(tmp_path: Path) -> None:
    inner = (
        "<refs><ref type='cve' id='CVE-2026-0001'/><ref type='url' id='CVE-2026-0002'/></refs>"
        "<solution type='VendorFix'>Please install the updated package(s).</solution>"
    )
    (one,) = openvas.of_xml(written(tmp_path, result(inner=inner)))
    assert one.host == ScannerHost(("192.0.2.1",), ("web1",), ("0a-1b",))
    assert (one.state, one.cves, one.port) == (
        ScannerState.VULNERABILITY,
        ("CVE-2026-0001",),
        None,
    )
    assert one.solution == "Please install the updated package(s)."
    assert one.packages == (PackageEvidence("nginx", "1.22.1-9", "1.22.1-9+deb12u1"),)


@pytest.mark.parametrize(
    ("threat", "severity", "state"),
    [
        ("Log", "0.0", ScannerState.INFORMATION),
        ("False Positive", "-1.0", ScannerState.CLOSED),
        ("Error", "-3.0", ScannerState.UNKNOWN),
    ],
)
def test_not_everything_is_open(
    tmp_path: Path, threat: str, severity: str, state: ScannerState
) -> None:
    (one,) = openvas.of_xml(written(tmp_path, result(threat, severity)))
    assert (one.state, one.severity) == (state, Severity.UNKNOWN)


def test_the_csv_is_read() -> None:
    timestamps, logins = openvas.of_csv(RECORDED / "openvas.csv")
    assert timestamps.host == ScannerHost(("192.168.118.212",), ("logsrv",))
    assert timestamps.seen_at == datetime(2021, 5, 26, 20, 50, 18, tzinfo=UTC)
    assert (timestamps.state, timestamps.severity) == (ScannerState.CONFIGURATION, Severity.LOW)
    assert (logins.port, logins.protocol, logins.severity) == (9200, "tcp", Severity.CRITICAL)


def test_whole_reports_are_read() -> None:
    assert len(list(openvas.of_xml(whole("openvas/many_vuln.xml")))) == 44
    assert len(list(openvas.of_csv(whole("openvas/many_vuln.csv")))) == 4
