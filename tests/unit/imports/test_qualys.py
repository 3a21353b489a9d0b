"""Qualys's XML of three kinds, and its CSV.

The XML of scans and of detections is written after their document types; the rest is real.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from suture.core.intelligence.advisories import Severity
from suture.core.scanners.scanner import (
    PackageEvidence,
    ScannerHost,
    ScannerRecord,
    ScannerState,
    Truncated,
)
from suture.imports import qualys, scanners
from suture.reading import UnreadableError
from tests.unit.imports.samples import RECORDED, whole, written

SCAN = """<?xml version="1.0" encoding="UTF-8" ?>
<!DOCTYPE SCAN SYSTEM "https://qualysguard.qualys.com/scan-1.dtd">
<SCAN value="scan/1770102245.1"><HEADER><KEY value="DATE">2026-02-03T07:04:05Z</KEY></HEADER>
<IP value="192.0.2.1" name="web1.example.org" status="up"><OS><![CDATA[Debian 12]]></OS>
<INFOS><CAT value="Information gathering"><INFO number="6" severity="1"><TITLE>DNS Host Name</TITLE>
</INFO></CAT></INFOS>
<VULNS><CAT value="Debian" port="443" protocol="tcp">
<VULN number="178000" severity="4" cveid="CVE-2026-0001"><TITLE><![CDATA[Old &amp; nginx]]></TITLE>
<SOLUTION><![CDATA[<P>Refer to <A HREF="x">DSA-1</A> for updates.]]></SOLUTION>
<CVE_ID_LIST><CVE_ID><ID>CVE-2026-0002</ID><URL>x</URL></CVE_ID></CVE_ID_LIST>
<RESULT format="table"><![CDATA[Package\tInstalled Version\tRequired Version
nginx\t1.22.1-9\t1.22.1-9+deb12u1]]></RESULT></VULN></CAT></VULNS>
<PRACTICES><CAT value="SSL"><PRACTICE number="38170" severity="2"><TITLE>Common Name</TITLE>
<SOLUTION>Make another certificate.</SOLUTION></PRACTICE></CAT></PRACTICES></IP>
<IP value="192.0.2.2"><VULNS><CAT value="x"><VULN number="1" severity="1"/></CAT></VULNS></IP>
</SCAN>"""

DETECTIONS = """<?xml version="1.0" encoding="UTF-8" ?>
<!DOCTYPE HOST_LIST_VM_DETECTION_OUTPUT SYSTEM "https://qualysapi.qualys.com/output.dtd">
<HOST_LIST_VM_DETECTION_OUTPUT><RESPONSE><HOST_LIST><HOST><ID>7</ID><IP>192.0.2.1</IP>
<TRACKING_METHOD>AGENT</TRACKING_METHOD><OS>Debian 12</OS><DNS>web1.example.org</DNS>
<QG_HOSTID>0a1b-22</QG_HOSTID>
<DETECTION_LIST><DETECTION><QID>178000</QID><TYPE>Confirmed</TYPE><SEVERITY>4</SEVERITY>
<STATUS>Active</STATUS><LAST_FOUND_DATETIME>2026-02-03T07:04:05Z</LAST_FOUND_DATETIME></DETECTION>
<DETECTION><QID>178001</QID><TYPE>Confirmed</TYPE><SEVERITY>4</SEVERITY><STATUS>Fixed</STATUS>
</DETECTION></DETECTION_LIST></HOST></HOST_LIST></RESPONSE></HOST_LIST_VM_DETECTION_OUTPUT>"""

# As the document type has it: behind the hosts.
PART = DETECTIONS.replace(
    "</HOST_LIST></RESPONSE>",
    """</HOST_LIST><WARNING><CODE>1980</CODE><TEXT>1000 record limit exceeded. Use URL to get next
batch of results.</TEXT><URL><![CDATA[https://qualysapi.example/?action=list&id_min=8]]></URL>
</WARNING></RESPONSE>""",
)


def test_a_report_by_asset_is_read_with_its_glossary() -> None:
    tcp, icmp, ssh = qualys.of_assets(RECORDED / "qualys-assets.xml")
    assert tcp.host == ScannerHost(
        ("64.41.200.243",),
        ("demo13.s02.sjc01.qualys.com",),
        os="Ubuntu / Tiny Core Linux / Linux 2.6.x",
    )
    assert (tcp.plugin, tcp.cves, tcp.severity) == ("82054", ("CVE-2004-0230",), Severity.LOW)
    assert tcp.title == "TCP Sequence Number Approximation Based Denial of Service"
    assert "<" not in tcp.solution
    assert tcp.seen_at == datetime(2019, 7, 31, 21, 57, 48, tzinfo=UTC)
    assert (icmp.state, ssh.state) == (ScannerState.CONFIGURATION, ScannerState.INFORMATION)
    assert (ssh.port, ssh.protocol) == (22, "tcp")


def test_a_scan_is_read(tmp_path: Path) -> None:
    info, nginx, practice, other = qualys.of_scan(written(tmp_path, SCAN))
    assert nginx.host == ScannerHost(("192.0.2.1",), ("web1.example.org",), os="Debian 12")
    assert (nginx.title, nginx.solution) == ("Old & nginx", "Refer to DSA-1 for updates.")
    assert nginx.cves == ("CVE-2026-0001", "CVE-2026-0002")
    assert nginx.packages == (PackageEvidence("nginx", "1.22.1-9", "1.22.1-9+deb12u1"),)
    assert (nginx.port, nginx.severity) == (443, Severity.HIGH)
    assert nginx.seen_at == datetime(2026, 2, 3, 7, 4, 5, tzinfo=UTC)
    assert (info.state, practice.state) == (ScannerState.INFORMATION, ScannerState.CONFIGURATION)
    assert (practice.port, other.host) == (None, ScannerHost(("192.0.2.2",)))


def test_detections_have_no_cve_but_a_state(tmp_path: Path) -> None:
    active, fixed = qualys.of_detections(written(tmp_path, DETECTIONS))
    assert isinstance(active, ScannerRecord) and isinstance(fixed, ScannerRecord)
    assert active.host == ScannerHost(
        ("192.0.2.1",), ("web1.example.org",), ("7", "0a1b-22"), "Debian 12", True
    )
    assert (active.title, active.cves) == ("QID 178000", ())
    assert fixed.state is ScannerState.CLOSED


def test_a_list_with_a_warning_is_not_whole(tmp_path: Path) -> None:
    *_, fixed, cut = qualys.of_detections(written(tmp_path, PART))
    assert isinstance(fixed, ScannerRecord)
    why = "1980 1000 record limit exceeded. Use URL to get next batch of results."
    assert cut == Truncated(why)
    bare = PART[: PART.index("<WARNING>")] + "<WARNING/>" + PART[PART.index("</RESPONSE>") :]
    assert list(qualys.of_detections(written(tmp_path, bare)))[-1] == Truncated(
        "a warning without words"
    )


LISTED = """\
----BEGIN_RESPONSE_HEADER_CSV
----END_RESPONSE_HEADER_CSV
----BEGIN_RESPONSE_BODY_CSV
"Host ID","IP Address","Tracking Method","Operating System","DNS Name","Netbios Name","QG HostID",\
"Last Scan Datetime","QID","Type","Port","Protocol","FQDN","SSL","Instance","Status","Severity",\
"First Found Datetime","Last Found Datetime","Results","Ignored","Disabled","Times Found"
"7","192.0.2.1","AGENT","Debian 12","web1.example.org",,"0a1b-22","2026-02-03T08:00:00Z","178000",\
"Confirmed","443","tcp",,"1",,"Active","4","2026-01-01T00:00:00Z","2026-02-03T07:04:05Z",\
"Package\tInstalled Version\tRequired Version
nginx\t1.22.1-9\t1.22.1-9+deb12u1","0","0","3"
"7","192.0.2.1","AGENT","Debian 12","web1.example.org",,"0a1b-22",,"178001",\
"Confirmed",,,,"0",,"Fixed","3",,"2026-02-03T07:04:05Z",,"0","0","3"
"8","192.0.2.2","IP",,,,,,"178002","Potential",,,,"0",,"New","2",,"2026-02-03T07:04:05Z",,"0","1","1"
"8","192.0.2.2","IP",,,,,,"45038","Info",,,,"0",,"New","1",,"2026-02-03T07:04:05Z",,"0","0","1"
----END_RESPONSE_BODY_CSV
----BEGIN_RESPONSE_FOOTER_CSV
"Status Message"
"Finished"
----END_RESPONSE_FOOTER_CSV
"""


def test_detections_as_csv_are_those_of_the_xml(tmp_path: Path) -> None:
    path = written(tmp_path, LISTED)
    known = scanners.recognise(path)
    assert known.name == "Qualys detections CSV"
    active, *others = (one for one in known.read(path) if isinstance(one, ScannerRecord))
    assert active.host == ScannerHost(
        ("192.0.2.1",), ("web1.example.org",), ("7", "0a1b-22"), "Debian 12", True
    )
    assert (active.plugin, active.title, active.cves) == ("178000", "QID 178000", ())
    assert active.packages == (PackageEvidence("nginx", "1.22.1-9", "1.22.1-9+deb12u1"),)
    assert (active.port, active.protocol, active.severity) == (443, "tcp", Severity.HIGH)
    assert active.seen_at == datetime(2026, 2, 3, 7, 4, 5, tzinfo=UTC)
    assert [one.state for one in others] == [
        *(ScannerState.CLOSED, ScannerState.CLOSED, ScannerState.INFORMATION)
    ]


@pytest.mark.parametrize(
    ("footer", "why"),
    [
        ("", "the file ends in the middle of the list"),
        (
            '----END_RESPONSE_BODY_CSV\n----BEGIN_RESPONSE_FOOTER_CSV\nWARNING\n"CODE","TEXT"\n'
            '"1980","1000 record limit exceeded."\n----END_RESPONSE_FOOTER_CSV\n',
            "WARNING CODE TEXT 1980 1000 record limit exceeded.",
        ),
    ],
)
def test_detections_as_csv_that_do_not_end_well_are_not_whole(
    tmp_path: Path, footer: str, why: str
) -> None:
    text = LISTED[: LISTED.index("----END_RESPONSE_BODY")] + footer
    *lines, cut = qualys.of_detections_csv(written(tmp_path, text))
    assert (len(lines), cut) == (4, Truncated(why))


def test_the_csv_is_read() -> None:
    obsolete, may = qualys.of_csv(RECORDED / "qualys.csv")
    assert obsolete.host.addresses == ("10.98.57.180",)
    assert obsolete.host.credentialed is True
    assert (obsolete.plugin, obsolete.cves) == ("105971", ())
    assert (len(may.cves), may.severity) == (23, Severity.CRITICAL)
    assert may.seen_at == datetime(2021, 5, 25, 7, 36, 58, tzinfo=UTC)


def test_vmdrs_csv_is_read_in_the_zone_that_it_names() -> None:
    lines = list(qualys.of_csv(RECORDED / "qualys-vmdr.csv"))
    assert lines[0].seen_at == datetime(2026, 2, 3, 12, 0, tzinfo=UTC)
    assert lines[0].host == ScannerHost(
        ("192.168.1.10",), ("server01",), ("300000001",), "Debian 11"
    )
    assert lines[2].state is ScannerState.CLOSED
    assert lines[3].host.addresses == ("192.168.1.100", "192.168.1.101")
    assert (lines[3].port, lines[3].protocol) == (None, "")
    assert lines[4].host.addresses == ("2001:db8::100",)


def test_a_glossary_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qualys, "MAX_CHECKS", 10)
    checks = "".join(f"<VULN_DETAILS><QID>{qid}</QID></VULN_DETAILS>" for qid in range(11))
    report = written(tmp_path, f"<ASSET_DATA_REPORT>{checks}</ASSET_DATA_REPORT>")
    with pytest.raises(UnreadableError, match="more than 10 checks"):
        list(qualys.of_assets(report))


def test_whole_reports_are_read() -> None:
    lines = list(qualys.of_assets(whole("qualys/Qualys_Sample_Report.xml")))
    assert len(lines) == 301
    assert len({one.host for one in lines}) == 7
    assert len(list(qualys.of_csv(whole("qualys/Qualys_Sample_Report.csv")))) == 6
    assert len(list(qualys.of_csv(whole("qualys_vmdr/many_vulns_cve.csv")))) == 5
