"""A fleet that is not there: hosts, and the updates that are published for them, from a seed.

What is drawn is plausible and no more: hosts of a few kinds, in services of twenty, and for a
kind a set of security updates every few weeks, some of them against what is exploited.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from msgspec.structs import replace

from suture.core.assessment.findings import Finding, FindingState
from suture.core.documents import Document, digest
from suture.core.intelligence.advisories import Severity
from suture.core.inventory import (
    Clock,
    Host,
    Inventory,
    Kernel,
    Listener,
    OperatingSystem,
    Package,
    PackageSet,
    Service,
)
from suture.core.policy import Policy
from suture.core.priority.deadlines import deadline
from suture.core.selection.ledger import Change, Ledger, LedgerEntry, Reason, Selection

_KINDS = 24
_PACKAGES = 400
_SERVICE = 20  # hosts in a service
_ROLES = ("web", "db", "cache", "queue", "batch", "app")
_SEVERITIES = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)
_WEIGHTS = (5, 30, 50, 15)
_UPDATED = 0.25  # the share of kinds that get updates in a week
_EXPLOITED = 0.05  # of these updates
_KERNEL = 0.15  # of these updates


class Publication(Document, frozen=True):
    """Updates for one kind, and what they fix; ``findings`` are of no host yet."""

    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]


def fleet(count: int, draw: Random) -> tuple[Host, ...]:
    """``count`` hosts; those labelled ``canary`` are one of a hundred."""
    hosts = []
    for number in range(count):
        group = number // _SERVICE
        role = _ROLES[group % len(_ROLES)]
        labels = ["production" if draw.random() < 0.8 else "staging", role]
        if draw.random() < 0.01:
            labels.append("canary")
        hosts.append(
            Host(
                name=f"{role}-{number + 1:05}",
                address="192.0.2.1",
                labels=tuple(labels),
                service=f"{role}-{group + 1}" if draw.random() < 0.9 else None,
            )
        )
    return tuple(hosts)


def kinds(count: int) -> tuple[Inventory, ...]:
    """What the hosts are like, at most one kind for each two of them."""
    return tuple(_kind(number) for number in range(max(1, min(_KINDS, count // 2))))


def publish(kind: int, today: date, policy: Policy, draw: Random) -> Publication | None:
    """What comes out for a kind in a week, None in a week without."""
    if draw.random() >= _UPDATED:
        return None
    numbers = draw.sample(range(_PACKAGES), draw.randint(2, 10))
    stamp = f"{today:%Y%m%d}"
    changes = [_change(f"package-{n}", f"{kind + 1}.{n}-1", stamp) for n in sorted(numbers)]
    if draw.random() < _KERNEL:
        changes.append(_change("linux-image-amd64", f"{kind + 1}.0-1", stamp))
    prefix = f"CVE-{today.year}-{today:%m%d}{kind:02}"
    exploited = draw.random() < _EXPLOITED
    severities = draw.choices(_SEVERITIES, _WEIGHTS, k=draw.randint(1, 4))
    findings = [
        _finding(change, f"{prefix}{n}", severity, exploited and not n)
        for n, (change, severity) in enumerate(zip(changes, severities, strict=False))
    ]
    return Publication(tuple(changes), tuple(_dated(one, today, policy) for one in findings))


def pending(publications: Sequence[Publication]) -> Selection:
    """What a host takes that has none of these yet: of each package the newest."""
    newest = {change.key: change for one in publications for change in one.changes}
    changes = tuple(newest[key] for key in sorted(newest))
    entries = tuple(
        LedgerEntry(one.package, one.arch, one.before or "", one.after, Reason.SELECTED)
        for one in changes
    )
    return Selection(changes, Ledger(len(entries), entries))


def seen(kind: Inventory, now: datetime) -> Inventory:
    """The kind as if collected just now."""
    return replace(kind, collected_at=now)


def _kind(number: int) -> Inventory:
    packages = [
        Package(f"package-{n}", "amd64", version, f"package-{n}", version)
        for n in range(_PACKAGES)
        for version in [f"{number + 1}.{n}-1"]
    ]
    names = "held automatic third_party pinned updates installable archives reboot_packages"
    nothing: dict[str, Any] = dict.fromkeys([*names.split(), "stale", "disks", "updaters"], ())
    return Inventory(
        host=f"kind-{number + 1}",
        collected_at=datetime.min,
        os=OperatingSystem("debian", "12", "bookworm"),
        arch="amd64",
        foreign_archs=(),
        kernel=Kernel("6.1.0-1-amd64"),
        boot_id="",
        package_manager="apt",
        packages=PackageSet(tuple(packages)),
        reboot_required=False,
        listeners=(Listener("tcp", "0.0.0.0", 80, "package-1", "package-1.service"),),  # noqa: S104
        services=(Service("package-1.service", "active", "running", "enabled"),),
        clock=Clock(0.0, 0.1),
        indexes_age_s=60.0,
        **nothing,
    )


def _change(package: str, version: str, stamp: str) -> Change:
    after = f"{version}+{stamp}"
    return Change(
        package=package,
        arch="amd64",
        before=version,
        after=after,
        source=package,
        source_version=after,
        filename=f"pool/main/{package}_{after}_amd64.deb",
        size=500_000,
        sha256=digest((package, after)),
        origin="Debian-Security:bookworm-security/main",
    )


def _finding(change: Change, cve: str, severity: Severity, exploited: bool) -> Finding:
    return Finding(
        cve=cve,
        host="",
        package=change.package,
        packages=(change.package,),
        source=change.source,
        installed=change.before or "",
        fixed=change.source_version,
        state=FindingState.FIXABLE,
        severity=severity,
        kev=exploited,
    )


def _dated(finding: Finding, today: date, policy: Policy) -> Finding:
    limit = deadline(
        finding.severity,
        kev_due=today + timedelta(days=14) if finding.kev else None,
        open_since=today,
        limits=policy.limits,
        today=today,
    )
    return replace(finding, due=limit.due if limit else None)
