"""From inventories and what is known about vulnerabilities to findings and selections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from suture.core.assessment import matching, mitigation
from suture.core.assessment.findings import Finding
from suture.core.assessment.matching import UnnamedUpdate
from suture.core.documents import Document
from suture.core.inventory import Clock, Host, Inventory
from suture.core.planning.expectations import Checks
from suture.core.planning.plan import HeldBack
from suture.core.policy import Policy
from suture.core.priority import ranking
from suture.core.priority.ranking import FindingKey
from suture.core.selection import selector
from suture.core.selection.choosing import matches_origin
from suture.core.selection.ledger import Selection
from suture.services.knowledge import Knowledge

if TYPE_CHECKING:
    from suture.core.assessment.history import Presence


# Of an inventory, what tells nothing of vulnerabilities and differs between hosts made alike.
_NOT_JUDGED: dict[str, Any] = {
    "host": "",
    "collected_at": datetime.min.replace(tzinfo=UTC),
    "boot_id": "",
    "listeners": (),
    "services": (),
    "disks": (),
    "updaters": (),
    "clock": Clock(0.0, 0.0),
    "indexes_age_s": None,
    "notes": (),
    "configuration": None,
    "identity": None,
    "platform": None,
    "stamp": "",
}


class Judged(Document, frozen=True):
    """What is open on one host."""

    host: Host
    inventory: Inventory
    findings: tuple[Finding, ...]


class Assessment(Judged, frozen=True):
    """What is open on one host, and which of its available updates would be taken."""

    unnamed: tuple[UnnamedUpdate, ...]
    selection: Selection


def assess(
    seen: Sequence[tuple[Host, Inventory]],
    knowledge: Knowledge,
    policy: Policy,
    *,
    today: date,
    held_back: Sequence[HeldBack] = (),
    presence: Presence | None = None,
) -> tuple[Assessment, ...]:
    """What is :func:`judged`, and each host's selection."""
    checks = Checks(policy)
    return tuple(
        Assessment(
            host=one.host,
            inventory=one.inventory,
            findings=one.findings,
            unnamed=matching.unnamed_updates(
                one.inventory, knowledge.index, knowledge.unreadable_for(one.inventory)
            ),
            selection=selector.select(
                one.inventory,
                rules=policy.select,
                findings=one.findings,
                held_back=held_back,
                published=knowledge.published,
                today=today,
                checks=checks.of(one.host, one.inventory),
            ),
        )
        for one in judged(seen, knowledge, policy, today=today, presence=presence)
    )


def judged(
    seen: Sequence[tuple[Host, Inventory]],
    knowledge: Knowledge,
    policy: Policy,
    *,
    today: date,
    presence: Presence | None = None,
) -> tuple[Judged, ...]:
    """Findings ranked over all hosts together.

    ``presence`` tells since when findings are open; without it no time limit of the policy counts.
    """
    found = list(_found(seen, knowledge, policy))
    ranked = ranking.rank(
        found,
        hosts={host.name: host for host, _ in seen},
        enrichment=knowledge.enrichment({finding.cve for finding in found}),
        today=today,
        weights=policy.weights,
        limits=policy.limits,
        mitigated=mitigation.reasons(knowledge.in_force),
        open_since=None if presence is None else _open_since(found, presence),
    )
    by_host: dict[str, list[Finding]] = {}
    for finding in ranked:
        by_host.setdefault(finding.host, []).append(finding)
    return tuple(
        Judged(host, inventory, tuple(by_host.get(host.name, ()))) for host, inventory in seen
    )


def _found(
    seen: Sequence[tuple[Host, Inventory]], knowledge: Knowledge, policy: Policy
) -> Iterator[Finding]:
    """What is open on each host. Those that differ in nothing that is judged are judged once."""
    known: dict[Inventory, tuple[Finding, ...]] = {}
    for host, inventory in seen:
        alike = replace(inventory, **_NOT_JUDGED)
        if alike not in known:
            known[alike] = matching.match(host, trusting(inventory, policy), knowledge.index)
        for finding in known[alike]:
            yield _marked(replace(finding, host=host.name), knowledge)


def _open_since(found: Sequence[Finding], presence: Presence) -> dict[FindingKey, date]:
    days = (
        ((one.host, one.cve, one.source), presence.open_since(one.host, one.source, one.published))
        for one in found
    )
    return {key: day for key, day in days if day is not None}


def _marked(finding: Finding, knowledge: Knowledge) -> Finding:
    """Says of a finding whose publisher's word is old that it is."""
    old = knowledge.stale.get(finding.publisher)
    return replace(finding, reasons=(*finding.reasons, f"stale: {old}")) if old else finding


def trusting(inventory: Inventory, policy: Policy) -> Inventory:
    """The inventory with packages of archives that the policy trusts no longer third-party."""
    trusted = {
        update.key
        for update in inventory.updates
        for version in update.versions
        for origin in version.origins
        if matches_origin(origin, policy.select.trusted_origins)
    }
    if not trusted:
        return inventory
    return replace(
        inventory, third_party=tuple(key for key in inventory.third_party if key not in trusted)
    )
