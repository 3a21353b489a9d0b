"""OpenSCAP's results: a real XCCDF report, and ARF written after its schema."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from suture.core.intelligence.advisories import Severity
from suture.core.scanners.scanner import ScannerHost, ScannerState
from suture.imports import openscap
from suture.reading import UnreadableError
from tests.unit.imports.samples import RECORDED, whole, written

RESULT = """<rule-result idref="xccdf_content_rule_{0}" time="2026-02-03T08:04:05+01:00"
severity="high"><result>{0}</result>
<ident system="https://ncp.nist.gov/cce">CCE-80935-0</ident></rule-result>"""
ARF = """<arf:asset-report-collection xmlns:arf="http://scap.nist.gov/schema/asset-reporting-format/1.1">
<arf:report-requests><arf:report-request><arf:content><Benchmark
xmlns="http://checklists.nist.gov/xccdf/1.2" xmlns:html="http://www.w3.org/1999/xhtml"><Group><Group>
<Rule id="xccdf_content_rule_fail" severity="medium">
<title>Disable <html:i>root</html:i> login</title>
<rationale>Nobody should.</rationale></Rule></Group></Group></Benchmark></arf:content>
</arf:report-request></arf:report-requests><arf:assets><ai:fqdn
xmlns:ai="http://scap.nist.gov/schema/asset-identification/1.1">other</ai:fqdn></arf:assets>
<arf:reports><arf:report><arf:content><TestResult xmlns="http://checklists.nist.gov/xccdf/1.2"
end-time="2026-02-03T08:04:06+01:00"><target>web1</target><target-address>127.0.0.1</target-address>
<target-address>192.0.2.1</target-address>{}</TestResult></arf:content></arf:report></arf:reports>
</arf:asset-report-collection>"""


def test_a_real_report_is_read() -> None:
    closed, systemd, kernel = openscap.of_xml(RECORDED / "xccdf.xml")
    assert systemd.host.names == ("sample.system",)
    assert systemd.host.addresses[:2] == ("127.0.0.1", "192.168.94.166")
    assert systemd.host.credentialed is True
    assert systemd.title == "RHSA-2019:0201: systemd security update (Low)"
    assert (systemd.state, systemd.severity) == (ScannerState.VULNERABILITY, Severity.LOW)
    assert systemd.cves == ("CVE-2019-3815",)
    assert systemd.seen_at == datetime(2019, 3, 4, 7, 43, 39, tzinfo=UTC)
    assert (closed.state, closed.cves) == (ScannerState.CLOSED, ("CVE-2005-3629",))
    assert (kernel.state, kernel.cves) == (ScannerState.VULNERABILITY, ())


@pytest.mark.parametrize(
    ("result", "state"),
    [
        ("fail", ScannerState.CONFIGURATION),
        ("pass", ScannerState.CLOSED),
        ("fixed", ScannerState.CLOSED),
        ("error", ScannerState.UNKNOWN),
        ("unknown", ScannerState.UNKNOWN),
        ("notapplicable", ScannerState.INFORMATION),
        ("notchecked", ScannerState.INFORMATION),
        ("notselected", ScannerState.INFORMATION),
        ("informational", ScannerState.INFORMATION),
    ],
)
def test_each_result_of_a_rule_means_something(
    tmp_path: Path, result: str, state: ScannerState
) -> None:
    (one,) = openscap.of_xml(written(tmp_path, ARF.format(RESULT.format(result))))
    assert one.state is state


def test_arf_names_host_rule_and_reason(tmp_path: Path) -> None:
    (one,) = openscap.of_xml(written(tmp_path, ARF.format(RESULT.format("fail"))))
    assert one.host == ScannerHost(("127.0.0.1", "192.0.2.1"), ("web1",), credentialed=True)
    assert (one.title, one.solution) == ("Disable root login", "Nobody should.")
    assert one.severity is Severity.HIGH
    assert one.seen_at == datetime(2026, 2, 3, 7, 4, 5, tzinfo=UTC)


def test_rules_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openscap, "MAX_RULES", 10)
    rules = "".join(f'<Rule id="{number}"/>' for number in range(11))
    with pytest.raises(UnreadableError, match="more than 10 rules"):
        list(openscap.of_xml(written(tmp_path, f"<Benchmark>{rules}</Benchmark>")))


def test_a_whole_report_is_read() -> None:
    lines = list(openscap.of_xml(whole("openscap/many_vuln_rhsa.xml")))
    assert len(lines) == 2935
    assert sum(one.state is ScannerState.VULNERABILITY for one in lines) == 31
    assert len({one.host for one in lines}) == 1
