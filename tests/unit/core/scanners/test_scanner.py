"""What the lines of reports mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.intelligence.advisories import Severity
from suture.core.scanners.scanner import (
    MAX_CVES,
    ScannerHost,
    ScannerState,
    address_of,
    cves_in,
    line,
    port_of,
    severity_of,
    state_of,
)

CVE = ("CVE-2026-0001",)


@pytest.mark.parametrize(
    ("patch", "cves", "solution", "state"),
    [
        (True, (), "", ScannerState.VULNERABILITY),
        (False, CVE, "", ScannerState.CONFIGURATION),
        (None, CVE, "", ScannerState.VULNERABILITY),
        (None, (), "", ScannerState.CONFIGURATION),
        (None, (), "Upgrade to PHP version 7.3.24 or later.", ScannerState.VULNERABILITY),
        (None, CVE, "Disable the TRACE method.", ScannerState.CONFIGURATION),
        (None, CVE, "Contact the vendor for advice.", ScannerState.VULNERABILITY),
        (None, (), "Please install a server certificate.", ScannerState.CONFIGURATION),
        (None, CVE, "Install openssl 3.0.11.", ScannerState.VULNERABILITY),
    ],
)
def test_a_line_is_a_vulnerability_where_a_patch_would_close_it(
    patch: bool | None, cves: tuple[str, ...], solution: str, state: ScannerState
) -> None:
    assert state_of(nothing_wrong=False, patch=patch, cves=cves, solution=solution) is state


def test_where_nothing_is_wrong_there_is_nothing_to_close() -> None:
    state = state_of(nothing_wrong=True, patch=True, cves=CVE, solution="Upgrade.")
    assert state is ScannerState.INFORMATION


@pytest.mark.parametrize(
    ("score", "severity"),
    [
        ("9.0", Severity.CRITICAL),
        ("8.9", Severity.HIGH),
        ("4.0", Severity.MEDIUM),
        ("0.1", Severity.LOW),
        ("0.0", Severity.UNKNOWN),
        ("-1", Severity.UNKNOWN),
        ("11", Severity.UNKNOWN),
        ("nan", Severity.UNKNOWN),
        ("inf", Severity.UNKNOWN),
        ("", Severity.UNKNOWN),
        (None, Severity.UNKNOWN),
    ],
)
def test_scores_fall_into_the_bands_of_cvss(score: str | None, severity: Severity) -> None:
    assert severity_of(score) is severity


@pytest.mark.parametrize(
    ("text", "port"),
    [("443", 443), ("0", None), ("65536", None), ("general", None), ("²", None), (None, None)],
)
def test_a_port_is_a_number_of_a_port(text: str | None, port: int | None) -> None:
    assert port_of(text) == port


def test_cves_are_found_in_any_text_once_each() -> None:
    text = "cve-2026-0002, CVE-2026-0001;CVE-2026-0002 CVE-26-1 xCVE-2026-0003"
    assert cves_in(text) == ("CVE-2026-0002", "CVE-2026-0001")
    many = " ".join(f"CVE-2026-{number}" for number in range(10_000, 20_000))
    assert len(cves_in(many)) == MAX_CVES


@pytest.mark.parametrize(
    ("word", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::0:1]", "2001:db8::1"),
        ("192.168.1.1001", ""),
        ("web1", ""),
        ("192.0.2.0/24", ""),
    ],
)
def test_addresses_are_told_in_one_form(word: str, address: str) -> None:
    assert address_of(word) == address


@given(st.text(), st.integers(2, 80))
def test_a_line_is_one_and_short(text: str, limit: int) -> None:
    shown = line(text, limit)
    assert len(shown) <= limit
    assert "\n" not in shown
    assert "\0" not in shown


def test_a_host_is_called_by_name_and_address() -> None:
    assert ScannerHost(("192.0.2.1",), ("web1",), ("7",)).label == "web1 at 192.0.2.1"
    assert ScannerHost(ids=("7",)).label == "7"
    assert ScannerHost().label == "a host without a name"
