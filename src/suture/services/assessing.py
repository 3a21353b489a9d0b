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
from suture.core.priority.ranking import Scorer
from suture.core.priority.urgency import Place, place
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


class Chosen(Document, frozen=True):
    """Which of the available updates of a host would be taken. ``findings`` are its open ones, not
    ranked and of no host, for hosts alike in them share them."""

    host: Host
    inventory: Inventory
    findings: tuple[Finding, ...]
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
    found = _scored(fleet, knowledge, policy, today, presence)
    select = _Selecting(fleet, knowledge, policy, held_back, today)
    return tuple(
        Assessment(
            host=one.host,
            inventory=one.inventory,
            findings=one.findings,
            unnamed=unnamed[kind],
            selection=select(one.host, kind, some),
        )
        for one, kind, some in zip(_ranked(fleet, found), fleet.kind_of, found, strict=True)
    )


def choose(
    seen: Sequence[tuple[Host, Inventory]],
    knowledge: Knowledge,
    policy: Policy,
    *,
    today: date,
    held_back: Sequence[HeldBack] = (),
    presence: Presence | None = None,
) -> tuple[Chosen, ...]:
    """As :func:`assess`, without what a plan does not ask for."""
    fleet = _Fleet(seen)
    select = _Selecting(fleet, knowledge, policy, held_back, today)
    found = _scored(fleet, knowledge, policy, today, presence)
    return tuple(
        Chosen(host, inventory, some, select(host, kind, some))
        for (host, inventory), kind, some in zip(seen, fleet.kind_of, found, strict=True)
    )


class _Selecting:
    """Selects once for all hosts of a kind with the same findings and checks."""

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
        self._known: dict[tuple[int, int, tuple[HealthCheck, ...]], Selection] = {}

    def __call__(self, host: Host, kind: int, findings: tuple[Finding, ...]) -> Selection:
        """``findings`` must outlive this."""
        inventory = self._fleet.kinds[kind]
        checks = self._checks.of(host, inventory)
        key = kind, id(findings), checks
        if key not in self._known:
            self._known[key] = selector.select(
                inventory,
                rules=self._policy.select,
                findings=findings,
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
    fleet = _Fleet(seen)
    return _ranked(fleet, _scored(fleet, knowledge, policy, today, presence))


def _ranked(fleet: _Fleet, found: Sequence[tuple[Finding, ...]]) -> tuple[Judged, ...]:
    by_host: dict[str, list[Finding]] = {}
    for finding in ranking.ordered(
        replace(one, host=host.name)
        for (host, _), some in zip(fleet.seen, found, strict=True)
        for one in some
    ):
        by_host.setdefault(finding.host, []).append(finding)
    return tuple(
        Judged(host, inventory, tuple(by_host.get(host.name, ()))) for host, inventory in fleet.seen
    )


def _scored(
    fleet: _Fleet,
    knowledge: Knowledge,
    policy: Policy,
    today: date,
    presence: Presence | None,
) -> list[tuple[Finding, ...]]:
    """What is open on each host, most urgent first. Hosts of a kind share it where they are alike
    in their place, in the controls in force, and in since when they have what they have."""
    of_kind = _open(fleet, knowledge, policy)
    cves = {finding.cve for some in of_kind for finding in some}
    scorer = Scorer(
        knowledge.enrichment(cves), today=today, weights=policy.weights, limits=policy.limits
    )
    stand_ins = mitigation.reasons(knowledge.in_force)
    mitigated = {host for host, _ in stand_ins}
    known: dict[tuple[object, ...], tuple[Finding, ...]] = {}

    def on(host: Host, where: Place, found: Sequence[Finding]) -> Iterator[Finding]:
        days = _open_since(host, found, presence, today)
        for one, since in zip(found, days, strict=True):
            yield scorer.scored(one, where, since, stand_ins.get((host.name, one.cve), ""))

    def of(host: Host, kind: int) -> tuple[Finding, ...]:
        where = place(host)
        own = host.name if host.name in mitigated else ""
        key = kind, where, own, presence.days_of(host.name) if presence else b""
        if key not in known:
            some = on(host, where, of_kind[kind])
            known[key] = tuple(sorted(some, key=lambda one: (-one.score, one.cve, one.source)))
        return known[key]

    return [of(host, kind) for (host, _), kind in zip(fleet.seen, fleet.kind_of, strict=True)]


def _open(fleet: _Fleet, knowledge: Knowledge, policy: Policy) -> list[tuple[Finding, ...]]:
    """What is open on hosts of each kind. Those that differ in nothing that is judged are judged
    once."""
    known: dict[Inventory, tuple[Finding, ...]] = {}
    packages: matching.Known = {}
    of_kind = []
    for kind in fleet.kinds:
        alike = replace(kind, **_NOT_JUDGED)
        if alike not in known:
            found = matching.match(trusting(alike, policy), knowledge.index, packages)
            known[alike] = tuple(_marked(one, knowledge) for one in found)
        of_kind.append(known[alike])
    return of_kind


def _open_since(
    host: Host, found: Sequence[Finding], presence: Presence | None, today: date
) -> list[date | None]:
    """What the host was never seen with is new today."""
    if presence is None:
        return [None] * len(found)
    days = presence.open_since((host.name, one.source, one.published) for one in found)
    return [day or today for day in days]


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
