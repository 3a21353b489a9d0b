"""Reports are kept as they were read, and gone when they are removed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from suture.core.scanners.scanner import (
    PackageEvidence,
    Scanner,
    ScannerHost,
    ScannerRecord,
    ScannerState,
)
from suture.store import scanner_lines, scanner_reports
from suture.store.database import Store
from suture.store.scanner_reports import KeptHost, SeenHost, StoredReport, Summary
from suture.store.tables import metadata
from tests.unit.core.builders import NOW

WEB1 = ScannerHost(("192.0.2.1",), ("web1",), ("agent-1", "7"))
PRINTER = ScannerHost(("192.0.2.9",))


def record(plugin: str = "1", **fields: Any) -> ScannerRecord:
    defaults: dict[str, Any] = {
        "scanner": Scanner.NESSUS,
        "host": WEB1,
        "title": "nginx is old",
        "state": ScannerState.VULNERABILITY,
        "cves": ("CVE-2026-0001", "CVE-2026-0002"),
        "packages": (PackageEvidence("nginx", "1"),),
        "seen_at": NOW,
    }
    return ScannerRecord(**defaults | {"plugin": plugin} | fields)


SETTING = record("2", state=ScannerState.CONFIGURATION, cves=())


def keep(store: Store, sha256: str = "a" * 64, **fields: Any) -> int:
    days = fields.get("days", 0)
    seen_at = NOW + timedelta(days=days)
    summary = Summary("Nessus XML", 2, {ScannerState.VULNERABILITY: 1}, True)
    report = StoredReport(
        0, fields.get("scanner", Scanner.NESSUS), "x", sha256, NOW, None, seen_at, summary
    )
    web1 = KeptHost(WEB1, seen_at, 2, ("CVE-2026-0008", "CVE-2026-0009"))
    hosts = [(web1, "web1"), (KeptHost(PRINTER), None)]
    lines = [(0, record()), (0, SETTING), (1, record("3"))]
    with store.begin() as connection:
        return scanner_reports.add(connection, report, hosts, lines)


def test_a_report_comes_back_as_it_was(store: Store) -> None:
    number = keep(store)
    with store.read() as connection:
        (report,) = scanner_reports.listing(connection)
        assert report == scanner_reports.get(connection, number)
        assert report == scanner_reports.with_hash(connection, "a" * 64)
        assert (report.id, report.seen_until) == (number, NOW)
        hosts = scanner_reports.hosts(connection, number)
        assert list(hosts.values()) == [SeenHost(WEB1, NOW, 2), SeenHost(PRINTER)]
        closed = scanner_lines.closed(connection, list(hosts))
        found = scanner_lines.findings(connection, list(hosts)[:1])
    assert closed == {"CVE-2026-0008", "CVE-2026-0009"}
    assert [(one.plugin, one.cves, one.host) for one in found] == [
        ("1", ("CVE-2026-0001", "CVE-2026-0002"), ScannerHost()),
        ("2", (), ScannerHost()),
    ]


def test_a_file_is_kept_once(store: Store) -> None:
    keep(store)
    with pytest.raises(sa.exc.IntegrityError):
        keep(store)


def test_nothing_of_a_removed_report_stays(store: Store) -> None:
    first, second = keep(store), keep(store, "b" * 64)
    with store.begin() as connection:
        scanner_reports.remove(connection, first)
    with store.read() as connection:
        assert [one.id for one in scanner_reports.listing(connection)] == [second]
        for name, count in (("scanner_hosts", 2), ("scanner_findings", 3)):
            table = metadata.tables[name]
            assert (
                connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == count
            )


def test_the_ids_of_placed_hosts_are_learned(store: Store) -> None:
    keep(store)
    with store.read() as connection:
        assert scanner_reports.learned(connection) == {"agent-1": "web1", "7": "web1"}


def test_a_host_can_be_placed_later(store: Store) -> None:
    keep(store)
    with store.begin() as connection:
        ((number, seen),) = scanner_reports.unplaced(connection)
        assert seen == PRINTER
        scanner_reports.place(connection, number, "printer")
        assert scanner_reports.unplaced(connection) == ()
        (scan,) = scanner_reports.latest(connection, ["printer"])
    assert scan.numbers == (number,)


def test_the_newest_scan_of_each_scanner_counts(store: Store) -> None:
    keep(store, "b" * 64, days=2)
    keep(store, "a" * 64, days=1)
    keep(store, "c" * 64, scanner=Scanner.OPENVAS)
    with store.read() as connection:
        scans = {one.scanner: one for one in scanner_reports.latest(connection, ["web1", "db1"])}
        nessus = scans[Scanner.NESSUS]
        open_ = list(scanner_lines.open_cves(connection, nessus.numbers))
        settings = list(scanner_lines.configuration(connection, nessus.numbers))
    assert set(scans) == {Scanner.NESSUS, Scanner.OPENVAS}
    assert nessus.seen_at == NOW + timedelta(days=2)
    assert open_ == [(nessus.numbers[0], "1", ("CVE-2026-0001", "CVE-2026-0002"))]
    assert [line.plugin for _, line in settings] == ["2"]
