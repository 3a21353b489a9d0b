"""A fleet about which other scanners report."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.services import fleet
from suture.services.workspace import Workspace
from suture.store import inventories, records
from tests.unit.core.builders import NOW, host, inventory, package

ADVISORY = Advisory(
    "DSA-1",
    "debian",
    ("CVE-2026-0001", "CVE-2026-0004"),
    (Affected("debian:12", "nginx", FixState.FIXED, "2"),),
    severity=Severity.HIGH,
)
PATCHED = Advisory(
    "DSA-2",
    "debian",
    ("CVE-2026-0002",),
    (Affected("debian:12", "openssl", FixState.FIXED, "3"),),
)


def scanned_fleet(tmp_path: Path) -> Workspace:
    """web1 has been scanned by Suture, the others have not; two share an address."""
    made = Workspace(tmp_path / "home", f"sqlite:///{tmp_path}/home/s.sqlite")
    fleet.add(
        made,
        (
            host("web1", address="192.0.2.1"),
            host("db1", address="192.0.2.2"),
            host("cache-a", address="192.0.2.20"),
            host("cache-b", address="192.0.2.20"),
        ),
    )
    with fleet.opened(made) as store, store.begin() as connection:
        packages = (package("nginx", "1"), package("openssl", "3"))
        before = NOW - timedelta(days=9)
        for when in (before, NOW):
            inventories.record(connection, inventory("web1", packages, collected_at=when))
        rows = [row for one in (ADVISORY, PATCHED) for row in records.rows(one)]
        records.apply(connection, "debian", "all", rows, before)
    return made
