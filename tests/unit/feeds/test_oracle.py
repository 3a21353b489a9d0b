"""Oracle Linux's OVAL file."""

from __future__ import annotations

import bz2
from pathlib import Path

import pytest
from hypothesis import given

from suture.core.intelligence.advisories import Advisory, Severity
from suture.feeds import oracle
from suture.reading import UnreadableError
from tests.unit.feeds.recorded import RECORDED, about, read_or_refused, recorded, spoiled, written

ALL = "oracle/com.oracle.elsa-all.xml.bz2"
TEXT = bz2.decompress((RECORDED / ALL).read_bytes())


def read(tmp_path: Path, text: bytes) -> dict[str, Advisory]:
    return {one.id: one for one in oracle.parse(written(tmp_path / "oval.xml", text))}


def test_definitions_are_advisories() -> None:
    advisories = {one.id: one for one in oracle.parse(recorded(ALL))}
    assert sorted(advisories) == ["ELSA-2007-0057", "ELSA-2023-12342"]
    bind = advisories["ELSA-2007-0057"]
    assert bind.cves == ("CVE-2007-0493", "CVE-2007-0494")
    assert (bind.severity, str(bind.published)) == (Severity.MEDIUM, "2007-06-26")
    assert bind.url == "https://linux.oracle.com/errata/ELSA-2007-0057.html"
    assert bind.summary == "Moderate: bind security update (MODERATE)"
    assert [(one.release, one.fixed, one.archs) for one in about(bind, "bind")] == [
        ("ol:5", "30:9.3.3-8.el5", ())
    ]


def test_a_module_has_to_be_enabled() -> None:
    advisories = {one.id: one for one in oracle.parse(recorded(ALL))}
    (hivex,) = advisories["ELSA-2023-12342"].affected
    assert (hivex.release, hivex.module) == ("ol:8", "virt:kvm_utils")


def test_a_fix_that_differs_by_architecture(tmp_path: Path) -> None:
    at = TEXT.index(b"Oracle Linux arch is i386")
    text = TEXT[:at] + TEXT[at:].replace(
        b"bind is earlier than 30:9.3.3-8.el5", b"bind is earlier than 30:9.3.3-9.el5", 1
    )
    found = about(read(tmp_path, text)["ELSA-2007-0057"], "bind")
    assert [(one.fixed, one.archs) for one in found] == [
        ("30:9.3.3-8.el5", ("x86_64",)),
        ("30:9.3.3-9.el5", ("i686",)),
    ]


@pytest.mark.parametrize(
    ("version", "channel"),
    [
        ("2:1.1.1k-7.ksplice1.el8_6", "ksplice"),
        ("10:3.6.16-4.0.1.el8_fips", "fips"),
        ("3.6.16-4.el8", ""),
    ],
)
def test_packages_for_ksplice_and_fips_are_apart(
    tmp_path: Path, version: str, channel: str
) -> None:
    text = TEXT.replace(b"0:1.3.18-21.module+el8.7.0+21037+8ee66348", version.encode())
    (hivex,) = read(tmp_path, text)["ELSA-2023-12342"].affected
    assert (hivex.fixed, hivex.channel) == (version, channel)


@pytest.mark.parametrize("name", ["invalid.xml", "invalid.xml.bz2"])
def test_broken_files_are_refused(name: str) -> None:
    with pytest.raises(UnreadableError):
        list(oracle.parse(recorded(f"oracle/{name}")))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'ref_id="ELSA-2007-0057"', b'ref_id="SOMETHING"'),
        (b"is earlier than", b"is of another age than"),
        (b"</oval_definitions>", b""),
        (b"30:9.3.3-8.el5", b"nothing"),
    ],
)
def test_what_cannot_be_understood_is_refused(tmp_path: Path, old: bytes, new: bytes) -> None:
    text = TEXT if old in TEXT else TEXT + old
    with pytest.raises(UnreadableError):
        read(tmp_path, text.replace(old, new))


def test_criteria_nested_without_end_are_refused(tmp_path: Path) -> None:
    deep = b"<criteria>" * 40 + b"</criteria>" * 40
    text = b"<x><definition><metadata/>" + deep + b"</definition></x>"
    with pytest.raises(UnreadableError, match="nested more than"):
        read(tmp_path, text)


@given(spoiled(TEXT))
def test_spoiled_files_are_read_or_refused(data: bytes) -> None:
    read_or_refused(oracle.parse, data, "oval.xml")
