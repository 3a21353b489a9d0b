"""From inventories and what is known about vulnerabilities to findings and selections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from suture.core.assessment import matching, mitigation
from suture.core.assessment.findings import Finding
from suture.core.assessment.matching import UnnamedUpdate
from suture.core.documents import Document
from suture.core.inventory import HealthCheck, Host, Inventory
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


# Of what hosts made alike have in common, what tells something of updates alone.
_NOT_JUDGED: dict[str, Any] = {"listeners": (), "services": (), "platform": None}


class Judged(Document, frozen=True):
    """What is open on one host."""

    host: Host
    inventory: Inventory
    findings: tuple[Finding, ...]


class Assessment(Judged, frozen=True):
    """What is open on one host, and which of its available updates would be taken."""

    unnamed: tuple[UnnamedUpdate, ...]
    selection: Selection


class _Fleet:
    """Hosts by their kinds: those of one differ in nothing that is judged or selected by.

    A kind is known by its number, so that what hosts share is compared once for each of them.
    """

    def __init__(self, seen: Sequence[tuple[Host, Inventory]]) -> None:
        self.seen = seen
        numbers: dict[Inventory, int] = {}
        self.kind_of = [
            numbers.setdefault(inventory.common(), len(numbers)) for _, inventory in seen
        ]
        self.kinds = tuple(numbers)


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
    fleet = _Fleet(seen)
    unnamed = [
        matching.unnamed_updates(kind, knowledge.index, knowledge.unreadable_for(kind))
        for kind in fleet.kinds
    ]
    select = _Selecting(fleet, knowledge, policy, held_back, today)
    return tuple(
        Assessment(
            host=one.host,
            inventory=one.inventory,
            findings=one.findings,
            unnamed=unnamed[kind],
            selection=select(one.host, kind, one.findings),
        )
        for kind, one in zip(
            fleet.kind_of,
            _judged(fleet, knowledge, policy, today=today, presence=presence),
            strict=True,
        )
    )


class _Selecting:
    """Selects once for all hosts of a kind with the same checks and, but for their places in the
    ranking, the same findings."""

    def __init__(
        self,
        fleet: _Fleet,
        knowledge: Knowledge,
        policy: Policy,
        held_back: Sequence[HeldBack],
        today: date,
    ) -> None:
        self._fleet = fleet
        self._knowledge = knowledge
        self._policy = policy
        self._held_back = held_back
        self._today = today
        self._checks = Checks(policy)
        self._known: dict[tuple[int, tuple[Finding, ...], tuple[HealthCheck, ...]], Selection] = {}

    def __call__(self, host: Host, kind: int, findings: Sequence[Finding]) -> Selection:
        inventory = self._fleet.kinds[kind]
        checks = self._checks.of(host, inventory)
        alike = tuple(replace(one, host="", rank=0) for one in findings)
        key = kind, alike, checks
        if key not in self._known:
            self._known[key] = selector.select(
                inventory,
                rules=self._policy.select,
                findings=alike,
                held_back=self._held_back,
                published=self._knowledge.published,
                today=self._today,
                checks=checks,
            )
        return self._known[key]


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
    return _judged(_Fleet(seen), knowledge, policy, today=today, presence=presence)


def _judged(
    fleet: _Fleet,
    knowledge: Knowledge,
    policy: Policy,
    *,
    today: date,
    presence: Presence | None,
) -> tuple[Judged, ...]:
    found = list(_found(fleet, knowledge, policy))
    ranked = ranking.rank(
        found,
        hosts={host.name: host for host, _ in fleet.seen},
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
        Judged(host, inventory, tuple(by_host.get(host.name, ()))) for host, inventory in fleet.seen
    )


def _found(fleet: _Fleet, knowledge: Knowledge, policy: Policy) -> Iterator[Finding]:
    """What is open on each host. Those that differ in nothing that is judged are judged once."""
    known: dict[Inventory, tuple[Finding, ...]] = {}
    packages: matching.Known = {}
    of_kind = []
    for kind in fleet.kinds:
        alike = replace(kind, **_NOT_JUDGED)
        if alike not in known:
            found = matching.match(trusting(alike, policy), knowledge.index, packages)
            known[alike] = tuple(_marked(one, knowledge) for one in found)
        of_kind.append(known[alike])
    for (host, _), number in zip(fleet.seen, fleet.kind_of, strict=True):
        for finding in of_kind[number]:
            yield replace(finding, host=host.name)


def _open_since(found: Sequence[Finding], presence: Presence) -> dict[FindingKey, date]:
    days = presence.open_since((one.host, one.source, one.published) for one in found)
    return {
        (one.host, one.cve, one.source): day
        for one, day in zip(found, days, strict=True)
        if day is not None
    }


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
