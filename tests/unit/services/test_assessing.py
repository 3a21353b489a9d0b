"""Hosts made alike are judged once, and each by what it has."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from suture.core.assessment import matching
from suture.core.assessment.findings import Finding
from suture.core.inventory import Inventory
from suture.core.policy import Policy
from suture.services.assessing import judged
from suture.services.knowledge import Knowledge
from suture.store.knowledge import StoredChangelog
from tests.unit.core.builders import NOW, host, inventory, package

CHANGELOG = StoredChangelog(
    "debian:12",
    "nginx",
    "3",
    "1",
    "nginx (3) stable; urgency=high\n\n  * Fix CVE-2026-0001.\n\n"
    " -- A <a@b>  Mon, 10 Aug 2026 10:00:00 +0000\n",
)


def test_hosts_made_alike_are_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    match = matching.match

    def counted(inventory: Inventory, *more: object) -> tuple[Finding, ...]:
        asked.append(inventory.third_party)
        return match(inventory, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(matching, "match", counted)
    old = inventory("a", [package("nginx", "1")])
    seen = [
        (host("a"), old),
        (host("b"), replace(old, host="b", boot_id="other", notes=("seen apart",))),
        (host("c"), inventory("c", [package("nginx", "3")])),
        (host("d"), replace(old, host="d", third_party=("nginx:amd64",))),
    ]
    found = judged(seen, Knowledge((CHANGELOG,)), Policy(), today=NOW.date())
    assert [[(one.host, one.cve) for one in each.findings] for each in found] == [
        [("a", "CVE-2026-0001")],
        [("b", "CVE-2026-0001")],
        [],
        [],
    ]
    assert asked == [(), (), ("nginx:amd64",)]
