"""What archives offer, by hand: every field has a default, a test names only what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from suture.core.assessment.findings import Finding
from suture.core.documents import digest
from suture.core.inventory import AvailableVersion, HealthCheck, Inventory, Origin, Package, Update
from suture.core.planning.plan import HeldBack
from suture.core.selection.ledger import Reason, Selection, SelectionRules
from suture.core.selection.selector import select
from tests.unit.core.builders import inventory, package

SECURITY = Origin("Debian", "Debian-Security", "stable-security", "bookworm-security", "main")
STABLE = Origin("Debian", "Debian", "stable", "bookworm", "main")
ACME = Origin("Acme", "Acme", "acme-security", "acme", "main", "acme.example")

TODAY = date(2026, 3, 2)


def offer(name: str, version: str = "2", origin: Origin = SECURITY, **fields: Any) -> Any:
    defaults: dict[str, Any] = {
        "arch": "amd64",
        "source": name,
        "source_version": version,
        "filename": f"pool/{name}_{version}.deb",
        "size": 1000,
        "sha256": digest((name, version)),
    }
    return AvailableVersion(name=name, version=version, origins=(origin,), **defaults | fields)


def update(*versions: AvailableVersion, **fields: Any) -> Update:
    """Of the installed version 1 to ``versions``, the first of them the candidate."""
    first = versions[0]
    defaults: dict[str, Any] = {"installed": "1", "candidate": first.version}
    return Update(
        name=first.name,
        arch=first.arch,
        source=first.source,
        versions=versions,
        **defaults | fields,
    )


def seen(*updates: Update, installed: Sequence[Package] = (), **fields: Any) -> Inventory:
    """A host with what is updated, and ``installed`` besides."""
    packages = [
        package(one.name, one.installed, arch=one.arch, source=one.source) for one in updates
    ]
    return inventory("web", sorted([*packages, *installed]), updates=updates, **fields)


def taken(
    host: Inventory,
    *,
    held_back: Sequence[HeldBack] = (),
    published: dict[tuple[str, str], date] | None = None,
    findings: Sequence[Finding] = (),
    checks: Sequence[HealthCheck] = (),
    **rules: Any,
) -> Selection:
    return select(
        host,
        rules=SelectionRules(**rules),
        findings=findings,
        held_back=held_back,
        published=published or {},
        today=TODAY,
        checks=checks,
    )


def reasons(selection: Selection) -> dict[str, Reason]:
    return {f"{one.package}:{one.arch}": one.reason for one in selection.ledger.entries}


def reason(selection: Selection, name: str = "nginx") -> Reason:
    return reasons(selection)[f"{name}:amd64"]


def detail(selection: Selection, name: str = "nginx") -> str:
    return next(one.detail for one in selection.ledger.entries if one.package == name)
