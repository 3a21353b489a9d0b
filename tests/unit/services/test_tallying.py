"""Counting a report while it is read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from suture.core.scanners.scanner import Scanner, ScannerHost, ScannerRecord, ScannerState
from suture.reading import UnreadableError
from suture.services import tallying
from suture.services.tallying import Tally
from suture.store.scanner_reports import KeptHost
from tests.unit.core.builders import NOW

WEB1, WEB2 = ScannerHost(("192.0.2.1",)), ScannerHost(("192.0.2.2",))


def record(host: ScannerHost, state: ScannerState, *cves: str, **fields: Any) -> ScannerRecord:
    return ScannerRecord(Scanner.OPENSCAP, host, "1", "", state, cves=cves, **fields)


def test_hosts_keep_their_order_and_what_is_closed() -> None:
    tally = Tally("x")
    lines = (
        record(WEB1, ScannerState.CLOSED, "CVE-2026-0002", "CVE-2026-0001", seen_at=NOW),
        record(WEB2, ScannerState.VULNERABILITY, "CVE-2026-0003"),
        record(WEB1, ScannerState.CLOSED, "CVE-2026-0001", seen_at=NOW - timedelta(days=1)),
        record(WEB1, ScannerState.INFORMATION),
    )
    assert [tally.add(line) for line in lines] == [0, 1, 0, 0]
    assert list(tally.hosts()) == [
        KeptHost(WEB1, NOW, 0, ("CVE-2026-0001", "CVE-2026-0002")),
        KeptHost(WEB2, None, 1),
    ]
    assert (tally.seen_from, tally.seen_until) == (NOW - timedelta(days=1), NOW)
    summary = tally.summary("XCCDF")
    assert (summary.hosts, summary.compares) == (2, True)
    assert summary.lines[ScannerState.CLOSED] == 2


def test_a_report_about_settings_alone_does_not_compare() -> None:
    tally = Tally("x")
    tally.add(record(WEB1, ScannerState.CONFIGURATION))
    assert not tally.summary("XCCDF").compares


@pytest.mark.parametrize("limit", ["MAX_LINES", "MAX_HOSTS", "MAX_CLOSED", "MAX_WORDS"])
def test_too_much_is_refused(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallying, limit, 1)
    tally = Tally("report.xml")
    tally.add(record(WEB1, ScannerState.CLOSED, "CVE-2026-0001"))
    with pytest.raises(UnreadableError, match=r"report\.xml is too large"):
        tally.add(record(WEB2, ScannerState.CLOSED, "CVE-2026-0002"))
