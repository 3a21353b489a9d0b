"""Hosts made alike are judged once, and each by what it has."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.core.assessment import matching
from suture.core.assessment.findings import Finding
from suture.core.assessment.history import Presence
from suture.core.assessment.mitigation import InForce
from suture.core.controls import Control, Sysctl
from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.core.inventory import Exposure, Host, Inventory, Service, StaleProcess
from suture.core.policy import Policy
from suture.core.selection.ledger import SelectionRules
from suture.services.assessing import assess, choose, judged
from suture.services.knowledge import Knowledge
from suture.store.knowledge import StoredChangelog
from tests.unit.core import offers
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


FIXED = [
    Advisory(
        f"DSA-{number}",
        "debian",
        (f"CVE-2026-{number:04}",),
        (Affected("debian:12", source, FixState.FIXED, fixed="2"),),
        severity=severity,
        published=NOW.date() - timedelta(days=number),
    )
    for number, (source, severity) in enumerate(
        [("nginx", Severity.HIGH), ("nginx", Severity.LOW), ("bash", Severity.MEDIUM)], start=1
    )
]
SOURCES = ("nginx", "bash")
CONTROL = Control(
    id="calm", title="t", reason="r", cves=("CVE-2026-0001",), sysctl=Sysctl(key="a.b", value="1")
)


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[tuple[Host, Inventory]], Presence, list[InForce]]:
    """A few hosts, alike in much and apart in some."""
    hosts, keys, days, in_force = [], [], [], []
    for number in range(draw(st.integers(1, 6))):
        name = f"h{number}"
        there = [source for source in SOURCES if draw(st.booleans())]
        seen = offers.seen(
            *(offers.update(offers.offer(one)) for one in there),
            host=name,
            services=(Service("nginx.service", draw(st.sampled_from(["active", "failed"])), ""),),
            stale=draw(st.sampled_from([(), (StaleProcess(1, "nginx", "", "/x", "nginx"),)])),
            boot_id=name,
        )
        exposure = draw(st.sampled_from([Exposure.INTERNAL, Exposure.PUBLIC]))
        hosts.append((host(name, exposure=exposure), seen))
        for place, source in enumerate(SOURCES):
            if source in there:
                keys.append(number * len(SOURCES) + place)
                days.append((NOW.date() - timedelta(days=draw(st.integers(0, 2)))).toordinal())
        if draw(st.integers(0, 3)) == 0:
            in_force.append(InForce(name, CONTROL, "r1", NOW))
    presence = Presence(
        {one.name: number for number, (one, _) in enumerate(hosts)},
        {source: place for place, source in enumerate(SOURCES)},
        np.array(keys, np.int64),
        np.array(days, np.int32),
    )
    return hosts, presence, in_force


@settings(max_examples=150, deadline=None)
@given(fleets(), st.booleans())
def test_what_hosts_share_is_what_each_would_be_told_alone(
    fleet: tuple[list[tuple[Host, Inventory]], Presence, list[InForce]], relevant: bool
) -> None:
    seen, presence, in_force = fleet
    policy = Policy(select=SelectionRules(relevant_only=relevant))
    knowledge = Knowledge(advisories=FIXED, in_force=in_force)
    today = NOW.date()
    together = assess(seen, knowledge, policy, today=today, presence=presence)
    chosen = choose(seen, knowledge, policy, today=today, presence=presence)
    for one, shared, at in zip(together, chosen, seen, strict=True):
        (alone,) = assess([at], knowledge, policy, today=today, presence=presence)
        assert one.selection == shared.selection == alone.selection
        assert one.unnamed == alone.unnamed
        unranked = [replace(found, rank=0) for found in alone.findings]
        assert [replace(found, rank=0) for found in one.findings] == unranked
        assert [replace(found, host=at[0].name) for found in shared.findings] == unranked
