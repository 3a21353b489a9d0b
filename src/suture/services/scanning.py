"""Scanning: given hosts in one shot, or the enrolled fleet with what is seen recorded."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from suture.core.assessment import matching
from suture.core.documents import Document
from suture.core.inventory import Host
from suture.core.policy import Policy
from suture.core.priority import ranking
from suture.core.priority.ranking import RankedPatch
from suture.hosts.transport import FailureKind, HostFailure
from suture.hosts.transport.connector import Connector
from suture.hosts.transport.settings import Ask
from suture.services import policies
from suture.services.assessing import Assessment, assess
from suture.services.collecting import (
    Changelogs,
    Collected,
    Progress,
    clock,
    collect,
    fetch_changelogs,
)
from suture.services.connections import connector
from suture.services.errors import ServiceError
from suture.services.knowledge import Knowledge, known_about
from suture.services.scan_report import ScanReport, host_scan
from suture.services.targets import parse_target
from suture.services.unjudged import unjudged
from suture.services.workspace import Workspace
from suture.store.knowledge import StoredChangelog
from suture.store.query import Reads, open_for_reading

if TYPE_CHECKING:
    from suture.core.assessment.history import Presence

_LEVELS = ("unknown", "low", "medium", "high", "critical")


class Scan(Document, frozen=True):
    """The report, and the same findings added up by patch: one entry a host, in its order."""

    report: ScanReport
    assessments: tuple[Assessment, ...]
    patches: tuple[tuple[RankedPatch, ...], ...]


async def scan(
    workspace: Workspace,
    *,
    targets: Sequence[str],
    labels: Sequence[str],
    key: str | None,
    jump: str | None,
    policy_file: Path | None,
    refresh: bool,
    accept_new: bool,
    ask: Ask | None,
    progress: Progress,
) -> Scan:
    """Collect and assess. Targets given here leave no trace; what is seen of enrolled hosts is
    recorded. Targets that are all names of enrolled hosts mean these, unless ``key`` or ``jump``
    says how else to reach them.

    Raises :class:`ServiceError` for a target that is none, or an empty fleet.
    """
    if not targets and (key or jump):
        raise ServiceError(
            f"--{'key' if key else 'jump'} is for hosts that are given here",
            "How an enrolled host is reached is said with `suture hosts add`.",
        )
    policy, _ = policies.load(workspace, policy_file)
    ways = connector(workspace, ask=ask, accept_new=accept_new, concurrency=policy.concurrency)
    async with ways:
        if targets:
            enrolled = () if key or jump else _enrolled(workspace, targets)
            if enrolled:
                return await _scan_fleet(
                    workspace, ways, enrolled, labels, policy, refresh, progress
                )
            if labels:
                raise ServiceError("--label is for enrolled hosts", "Leave it, or the targets.")
            hosts = [parse_target(target, key=key, jump=jump) for target in targets]
            return await _scan_once(workspace, ways, hosts, policy, refresh, progress)
        return await _scan_fleet(workspace, ways, (), labels, policy, refresh, progress)


def _enrolled(workspace: Workspace, targets: Sequence[str]) -> tuple[str, ...]:
    """The targets, where they are names of enrolled hosts; none where none is."""
    from suture.store import enrolled

    if not workspace.has_database:
        return ()
    with closing(open_for_reading(workspace.database)) as store, store.query() as query:
        known = enrolled.named(query, targets)
    others = [target for target in targets if target not in known]
    if known and others:
        raise ServiceError(
            f"{sorted(known)[0]} is enrolled and {others[0]!r:.80} is not",
            "Scan them apart: what is seen of enrolled hosts is recorded, of others it is not.",
        )
    return tuple(dict.fromkeys(targets)) if known else ()


async def _scan_once(
    workspace: Workspace,
    ways: Connector,
    hosts: Sequence[Host],
    policy: Policy,
    refresh: bool,
    progress: Progress,
) -> Scan:
    """Feeds are used where this installation has any; nothing is written."""
    collected = await collect(ways, hosts, refresh=refresh, progress=progress)
    fetched = await fetch_changelogs(ways, collected, (), progress)
    if not workspace.has_database:
        return _assess(collected, Knowledge(fetched.read, fetched.unreadable), policy)
    with closing(open_for_reading(workspace.database)) as store:
        return _assess(collected, _known(store, collected, fetched, fetched.read), policy)


async def _scan_fleet(
    workspace: Workspace,
    ways: Connector,
    names: Sequence[str],
    labels: Sequence[str],
    policy: Policy,
    refresh: bool,
    progress: Progress,
) -> Scan:
    from suture.services import fleet
    from suture.store import fleet_columns, observations
    from suture.store import knowledge as stored

    hosts = fleet.chosen(workspace, names=names, labels=labels)
    with fleet.opened(workspace) as store:
        with store.query() as query:
            before = observations.latest(query, {host.name for host in hosts})
        collected = await collect(ways, hosts, refresh=refresh, progress=progress, before=before)
        with store.query() as query:
            known = stored.changelogs(query)
        fetched = await fetch_changelogs(ways, collected, known, progress)
        fleet.record(store, collected, fetched.read, clock())
        with store.query() as query:
            presence = fleet_columns.presence(query, {host.name for host in hosts})
        return _assess(collected, _known(store, collected, fetched, ()), policy, presence)


def _known(
    store: Reads,
    collected: Sequence[Collected],
    fetched: Changelogs,
    read: Sequence[StoredChangelog],
) -> Knowledge:
    seen = [one.inventory for one in collected if one.inventory is not None]
    return known_about(
        store,
        {one.os.release for one in seen},
        now=clock(),
        read=read,
        unreadable=fetched.unreadable,
        names=matching.names_of(seen),
    )


def _assess(
    collected: Sequence[Collected],
    knowledge: Knowledge,
    policy: Policy,
    presence: Presence | None = None,
) -> Scan:
    failures = [_unjudged(one, knowledge) for one in collected]
    seen = [
        (one.host, one.inventory)
        for one, failure in zip(collected, failures, strict=True)
        if one.inventory is not None and failure is None
    ]
    assessments = assess(seen, knowledge, policy, today=clock().date(), presence=presence)
    return Scan(
        report=ScanReport(
            hosts=tuple(
                host_scan(one.inventory, one.findings, one.selection.ledger, one.unnamed)
                for one in assessments
            ),
            failed=tuple(failure for failure in failures if failure is not None),
        ),
        assessments=assessments,
        patches=tuple(ranking.rank_patches(one.findings) for one in assessments),
    )


def _unjudged(one: Collected, knowledge: Knowledge) -> HostFailure | None:
    """Why nothing can be said about the host."""
    if one.inventory is None:
        return one.failure
    seen = one.inventory
    found = unjudged(one.host.name, seen.os.release, seen.package_manager, knowledge)
    if found is None:
        return None
    return HostFailure(
        host=found.host,
        kind=FailureKind.UNSUPPORTED,
        message=found.message,
        remedy=found.remedy,
    )


def exit_code(report: ScanReport, fail_on: str) -> int:
    """3 when a host could not be assessed, 1 for findings at or above ``fail_on``, else 0.

    A security update that names no CVE counts as of unknown severity, and unknown counts as
    reaching every level: it may be the worst.
    """
    if report.failed or any(host.indexes_age_s is None for host in report.hosts):
        return 3
    if fail_on == "none":
        return 0
    severities = [finding.severity for host in report.hosts for finding in host.findings]
    severities += ["unknown" for host in report.hosts for _ in host.unnamed_updates]
    floor = 0 if fail_on == "any" else _LEVELS.index(fail_on)
    reached = any(one == "unknown" or _LEVELS.index(one) >= floor for one in severities)
    return 1 if reached else 0
