"""Which available updates are taken on one host: the patch set, and the ledger of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from suture.core.assessment.findings import Finding
from suture.core.inventory import AvailableVersion, HealthCheck, Inventory
from suture.core.planning.plan import HeldBack
from suture.core.selection.choosing import Choice, Chooser, origin_of
from suture.core.selection.closure import Closure, close
from suture.core.selection.coverage import Coverage
from suture.core.selection.criteria import Criteria
from suture.core.selection.ledger import (
    SPARE,
    Action,
    Change,
    Ledger,
    LedgerEntry,
    Reason,
    Selection,
    SelectionRules,
)


def select(
    inventory: Inventory,
    *,
    rules: SelectionRules,
    findings: Sequence[Finding],
    held_back: Sequence[HeldBack],
    published: Mapping[tuple[str, str], date],
    today: date,
    checks: Sequence[HealthCheck] = (),
) -> Selection:
    """The patch set for the host and what became of every available update.

    ``findings`` name the CVEs that a change closes; those of other hosts are passed over.
    ``published`` is (source, source version) → the day it came out, where that is known.
    ``checks`` are the host's health checks.
    """
    criteria = Criteria(
        inventory,
        rules=rules,
        findings=[finding for finding in findings if finding.host == inventory.host],
        coverage=Coverage(inventory, checks),
    )
    chooser = Chooser(
        inventory,
        rules=rules,
        held_back=held_back,
        published=published,
        today=today,
        criteria=criteria,
    )
    choices = {update.key: chooser.choose(update) for update in inventory.updates}
    obstacles = {version.key: chooser.obstacle(version) for version in inventory.installable}
    closure = close(
        inventory,
        offered={key: choice.version for key, choice in choices.items()},
        wanted=[key for key, choice in choices.items() if choice.reason is Reason.SELECTED],
        spare=[key for key, choice in choices.items() if choice.reason in SPARE],
        refused={
            key: choice.detail
            for key, choice in choices.items()
            if choice.reason not in (Reason.SELECTED, *SPARE)
        }
        | {key: obstacle[1] for key, obstacle in obstacles.items() if obstacle},
        new={v.key: v for v in inventory.installable if obstacles[v.key] is None},
        allow_new=rules.allow_new_packages,
    )
    entries = [_entry(choices[update.key], closure) for update in inventory.updates]
    changes = [
        _change(version, choices.get(key), criteria)
        for key, version in sorted(closure.taken.items())
    ]
    return Selection(tuple(changes), Ledger(len(inventory.updates), tuple(entries)))


def _entry(choice: Choice, closure: Closure) -> LedgerEntry:
    key = choice.update.key
    reason, detail = choice.reason, choice.detail
    if key in closure.failed:
        reason, detail = closure.failed[key].reason, closure.failed[key].detail
    elif reason in SPARE and key in closure.taken:
        reason, detail = Reason.REQUIRED, f"{closure.needed_by[key]} needs it"
    return LedgerEntry(
        package=choice.update.name,
        arch=choice.update.arch,
        installed=choice.update.installed,
        available=choice.version.version,
        reason=reason,
        detail=detail,
    )


def _change(
    version: AvailableVersion,
    choice: Choice | None,
    criteria: Criteria,
) -> Change:
    is_wanted = choice is not None and choice.reason is Reason.SELECTED
    return Change(
        package=version.name,
        arch=version.arch,
        before=choice.update.installed if choice else None,
        after=version.version,
        source=version.source,
        source_version=version.source_version,
        filename=version.filename,
        size=version.size,
        sha256=version.sha256,
        origin=origin_of(version),
        action=Action.UPGRADE if choice else Action.INSTALL,
        reason=Reason.SELECTED if is_wanted else Reason.REQUIRED,
        cves=tuple(sorted({finding.cve for finding in criteria.closed_by(version)})),
    )
