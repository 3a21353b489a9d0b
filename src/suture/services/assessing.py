"""From inventories and what is known about vulnerabilities to findings and selections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from msgspec.structs import replace

from suture.core import changelogs, matching, ranking, selector
from suture.core.advisories import Advisory
from suture.core.choosing import matches_origin
from suture.core.documents import Document
from suture.core.findings import Finding
from suture.core.inventory import Host, Inventory
from suture.core.matching import AdvisoryIndex, UnnamedUpdate
from suture.core.planning import HeldBack
from suture.core.policy import Policy
from suture.core.selection import Selection
from suture.services.collecting import ChangelogKey
from suture.store.changelogs import StoredChangelog


class Assessment(Document, frozen=True):
    """What is open on one host, and which of its available updates would be taken."""

    host: Host
    inventory: Inventory
    findings: tuple[Finding, ...]
    unnamed: tuple[UnnamedUpdate, ...]
    selection: Selection


class Knowledge:
    """What the archive's changelogs say, read once for all hosts. Publishers' feeds join here."""

    def __init__(
        self,
        known: Iterable[StoredChangelog],
        unreadable: Mapping[ChangelogKey, str] | None = None,
    ) -> None:
        advisories: list[Advisory] = []
        self.published: dict[tuple[str, str], date] = {}
        self.unreadable = dict(unreadable or {})
        for one in known:
            entries = changelogs.parse(one.text)
            advisories += changelogs.advisories(entries, release=one.release, installed=one.since)
            for version, day in changelogs.published(entries).items():
                self.published[(one.source, version)] = day
        self.index = AdvisoryIndex(advisories)

    def unreadable_for(self, inventory: Inventory) -> dict[str, str]:
        release = inventory.os.release
        return {
            source: why
            for (of_release, source, _), why in self.unreadable.items()
            if of_release == release
        }


def assess(
    seen: Sequence[tuple[Host, Inventory]],
    knowledge: Knowledge,
    policy: Policy,
    *,
    today: date,
    held_back: Sequence[HeldBack] = (),
) -> tuple[Assessment, ...]:
    """Findings ranked over all hosts together, and each host's selection; pure."""
    found = [
        finding
        for host, inventory in seen
        for finding in matching.match(host, trusting(inventory, policy), knowledge.index)
    ]
    ranked = ranking.rank(
        found,
        hosts={host.name: host for host, _ in seen},
        enrichment={},
        today=today,
        weights=policy.weights,
    )
    by_host: dict[str, list[Finding]] = {}
    for finding in ranked:
        by_host.setdefault(finding.host, []).append(finding)
    return tuple(
        Assessment(
            host=host,
            inventory=inventory,
            findings=tuple(by_host.get(host.name, ())),
            unnamed=matching.unnamed_updates(
                inventory, knowledge.index, knowledge.unreadable_for(inventory)
            ),
            selection=selector.select(
                inventory,
                rules=policy.select,
                findings=by_host.get(host.name, ()),
                held_back=held_back,
                published=knowledge.published,
                today=today,
            ),
        )
        for host, inventory in seen
    )


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
