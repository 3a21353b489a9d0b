"""CSV that a spreadsheet reads as text, whatever a host calls its packages."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.reports.findings_csv import COLUMNS, safe, write
from tests.unit.reports.test_cyclonedx import FINDING


def test_a_line_a_finding_reads_back() -> None:
    out = io.StringIO()
    write([FINDING, replace(FINDING, installed='=cmd|" /C calc"!A0')], out)
    header, first, second = csv.reader(io.StringIO(out.getvalue()))
    assert tuple(header) == COLUMNS
    assert first[1:4] == ["CVE-2026-0001", "web1", "nginx"]
    assert second[COLUMNS.index("installed")] == '\'=cmd|" /C calc"!A0'


@pytest.mark.parametrize("number", ["-1", "+2.5", "-0.125"])
def test_numbers_stay_numbers(number: str) -> None:
    assert safe(number) == number


@given(st.text())
def test_no_cell_is_a_formula(cell: str) -> None:
    made = safe(cell)
    assert made in (cell, f"'{cell}")
    if made.startswith(("=", "@", "\t", "\r")):
        float(made)
