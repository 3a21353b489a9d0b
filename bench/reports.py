"""Scanners' reports of any size, made up: hosts with checks as verbose as the real ones are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

TEXT = (
    "The version of the package that is installed on the remote host is prior to the one that is "
    "named. It is, therefore, affected by a vulnerability as referenced in the advisory. "
) * 12
CHECKS = 250
CVES = 5


@dataclass(frozen=True)
class Shape:
    """A format: what stands before the hosts, one host by its number, and what stands after."""

    suffix: str
    head: str
    host: Callable[[int], str]
    tail: str


def write(path: Path, shape: Shape, size: int) -> int:
    """A report of at least ``size`` bytes; answers the number of hosts."""
    written = 0
    with path.open("w") as file:
        written += file.write(shape.head)
        number = 0
        while written < size:
            written += file.write(shape.host(number))
            number += 1
        file.write(shape.tail)
    return number


def write_knowledge(path: Path, size: int) -> int:
    """Qualys's KnowledgeBase of at least ``size`` bytes; answers the number of checks."""
    return write(path, _KNOWLEDGE, size)


def address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _cves(check: int) -> Iterator[str]:
    return (f"CVE-2024-{10_000 + check * CVES + each}" for each in range(CVES))


def _nessus(number: int) -> str:
    items = "".join(
        f'<ReportItem port="0" protocol="tcp" severity="3" pluginID="{check}" '
        f'pluginName="Debian DSA-{check}: package{check} - security update" '
        'pluginFamily="Debian Local Security Checks">'
        f"{''.join(f'<cve>{cve}</cve>' for cve in _cves(check))}"
        f"<description>{TEXT}</description><solution>Upgrade the package.</solution>"
        f"<plugin_output>Remote package installed : package{check}_1.0-1\n"
        f"Should be : package{check}_1.0-1+deb12u1</plugin_output></ReportItem>\n"
        for check in range(CHECKS)
    )
    return (
        f'<ReportHost name="web{number}.example.org"><HostProperties>'
        f'<tag name="host-ip">{address(number)}</tag>'
        '<tag name="Credentialed_Scan">true</tag>'
        '<tag name="HOST_END_TIMESTAMP">1771000000</tag></HostProperties>'
        f"{items}</ReportHost>\n"
    )


def _openvas(number: int) -> str:
    return "".join(
        f'<result id="{number}-{check}"><host>{address(number)}<hostname>web{number}.example.org'
        f'</hostname></host><port>general/tcp</port><nvt oid="1.3.6.1.{check}">'
        f"<name>Debian: Security Advisory ({check})</name><cvss_base>7.5</cvss_base><refs>"
        f"{_refs(check)}</refs>"
        f'<solution type="VendorFix">Please install the updated package.</solution></nvt>'
        f"<threat>High</threat><severity>7.5</severity><description>{TEXT}</description>"
        "<creation_time>2026-02-01T00:00:00Z</creation_time></result>\n"
        for check in range(CHECKS)
    )


def _refs(check: int) -> str:
    return "".join(f'<ref type="cve" id="{cve}"/>' for cve in _cves(check))


def _qualys(number: int) -> str:
    found = "".join(
        f"<VULN_INFO><QID>{check}</QID><TYPE>Vuln</TYPE><RESULT><![CDATA[{TEXT}]]></RESULT>"
        "<LAST_FOUND>2026-02-01T00:00:00Z</LAST_FOUND><VULN_STATUS>Active</VULN_STATUS></VULN_INFO>"
        for check in range(CHECKS)
    )
    return (
        f"<HOST><IP>{address(number)}</IP><TRACKING_METHOD>QAGENT</TRACKING_METHOD>"
        f"<DNS><![CDATA[web{number}.example.org]]></DNS><VULN_INFO_LIST>{found}</VULN_INFO_LIST>"
        "</HOST>\n"
    )


def _glossary() -> str:
    return "".join(
        f"<VULN_DETAILS><QID>{check}</QID><TITLE>Check {check}</TITLE><SEVERITY>4</SEVERITY>"
        f"<CVE_ID_LIST>{''.join(f'<CVE_ID><ID>{cve}</ID></CVE_ID>' for cve in _cves(check))}"
        "</CVE_ID_LIST></VULN_DETAILS>"
        for check in range(CHECKS)
    )


def _csv(number: int) -> str:
    return "".join(
        f'{check},"{",".join(_cves(check))}",7.5,High,{address(number)},tcp,0,Check {check},'
        f'"{TEXT}",Upgrade the package.,"Remote package installed : package{check}_1.0-1\n"\n'
        for check in range(CHECKS)
    )


def _openscap(number: int) -> str:
    results = "".join(
        f'<rule-result idref="oval-def-{check}" time="2026-02-01T00:00:00" severity="high">'
        f"<result>{'fail' if check % 10 == 0 else 'pass'}</result>"
        f"{''.join(f'<ident>{cve}</ident>' for cve in _cves(check))}"
        f"<message>{TEXT}</message></rule-result>\n"
        for check in range(CHECKS)
    )
    return (
        f'<report><content><TestResult id="t{number}" end-time="2026-02-01T00:00:00">'
        f"<target>web{number}.example.org</target><target-address>{address(number)}"
        f"</target-address>{results}</TestResult></content></report>\n"
    )


def _check(number: int) -> str:
    cves = "".join(f"<CVE><ID><![CDATA[{cve}]]></ID></CVE>" for cve in _cves(number))
    return (
        f"<VULN><QID>{number}</QID><VULN_TYPE>Vulnerability</VULN_TYPE>"
        "<SEVERITY_LEVEL>4</SEVERITY_LEVEL>"
        f"<TITLE><![CDATA[Security update {number}]]></TITLE><PATCHABLE>1</PATCHABLE>"
        f"<CVE_LIST>{cves}</CVE_LIST><DIAGNOSIS><![CDATA[{TEXT}]]></DIAGNOSIS>"
        "<SOLUTION><![CDATA[Upgrade the package.]]></SOLUTION></VULN>\n"
    )


_KNOWLEDGE = Shape(
    ".xml",
    "<KNOWLEDGE_BASE_VULN_LIST_OUTPUT><RESPONSE><VULN_LIST>",
    _check,
    "</VULN_LIST></RESPONSE></KNOWLEDGE_BASE_VULN_LIST_OUTPUT>",
)
SHAPES = {
    "nessus_xml": Shape(
        ".nessus", "<NessusClientData_v2><Report>", _nessus, "</Report></NessusClientData_v2>"
    ),
    "nessus_csv": Shape(
        ".csv",
        "Plugin ID,CVE,CVSS,Risk,Host,Protocol,Port,Name,Description,Solution,Plugin Output\n",
        _csv,
        "",
    ),
    "openvas_xml": Shape(
        ".xml", "<report><report><results>", _openvas, "</results></report></report>"
    ),
    "qualys_xml": Shape(
        ".xml",
        '<!DOCTYPE ASSET_DATA_REPORT SYSTEM "asset_data_report.dtd"><ASSET_DATA_REPORT><HOST_LIST>',
        _qualys,
        f"</HOST_LIST><GLOSSARY><VULN_DETAILS_LIST>{_glossary()}</VULN_DETAILS_LIST></GLOSSARY>"
        "</ASSET_DATA_REPORT>",
    ),
    "openscap_arf": Shape(
        ".xml",
        "<asset-report-collection><reports>",
        _openscap,
        "</reports></asset-report-collection>",
    ),
}
