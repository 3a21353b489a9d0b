"""Lines that name a check alone, told by the scanner's catalogue."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.intelligence.advisories import Severity
from suture.core.scanners.checks import Check, check_of, closed_by, closed_cves, informed
from suture.core.scanners.scanner import Scanner, ScannerHost, ScannerRecord, ScannerState

NGINX = Check("178000", "Old nginx", Severity.HIGH, ("CVE-2026-0001",), "Upgrade.", True)
SETTING = Check("38170", "Weak", Severity.LOW, (), "Make another.", False)
CVES = st.lists(st.sampled_from([f"CVE-2026-000{n}" for n in range(9)]), max_size=3, unique=True)


def line(**fields: Any) -> ScannerRecord:
    defaults: dict[str, Any] = {
        "scanner": Scanner.QUALYS,
        "host": ScannerHost(("192.0.2.1",)),
        "plugin": "178000",
        "title": "QID 178000",
        "state": ScannerState.VULNERABILITY,
    }
    return ScannerRecord(**defaults | fields)


def test_a_check_gives_its_lines_cves_title_and_remedy() -> None:
    told = informed(line(severity=Severity.LOW), NGINX)
    assert (told.title, told.cves, told.solution) == ("Old nginx", NGINX.cves, "Upgrade.")
    assert (told.state, told.severity) == (ScannerState.VULNERABILITY, Severity.LOW)
    assert informed(line(), NGINX).severity is Severity.HIGH


def test_a_check_decides_whether_a_patch_closes_it() -> None:
    assert informed(line(), SETTING).state is ScannerState.CONFIGURATION


@pytest.mark.parametrize("state", [ScannerState.CLOSED, ScannerState.INFORMATION])
def test_what_is_not_open_stays_so(state: ScannerState) -> None:
    assert informed(line(state=state), NGINX).state is state


def test_an_unknown_check_changes_nothing_that_somebody_has_said() -> None:
    setting = ScannerState.CONFIGURATION
    for said in (line(), line(title="Weak cipher", state=setting), line(state=ScannerState.CLOSED)):
        assert informed(said, None) == said
    assert informed(line(state=setting), None) == line()
    assert informed(line(state=setting, title=""), None) == line(title="")


@given(named=CVES, qid=st.sampled_from(["178000", "38170", "9"]))
def test_what_is_closed_is_kept_by_cve_or_by_check(named: list[str], qid: str) -> None:
    words = closed_by(line(state=ScannerState.CLOSED, plugin=qid, cves=tuple(named)))
    assert {check_of(word) for word in words} <= {"", qid}
    found = closed_cves(frozenset(words), {"178000": NGINX, "38170": SETTING})
    assert found == frozenset(named or (NGINX.cves if qid == "178000" else ()))


def test_other_scanners_name_no_checks_of_a_catalogue() -> None:
    assert closed_by(line(scanner=Scanner.NESSUS)) == ()
    assert closed_by(line(plugin="a check")) == ()
