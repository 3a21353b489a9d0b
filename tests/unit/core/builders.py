"""Small fleets by hand: every field has a default, a test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from suture.core.assessment.counted import groups
from suture.core.assessment.fleet import Fleet, Interner, columns
from suture.core.documents import digest
from suture.core.intelligence import channels
from suture.core.inventory import (
    Clock,
    HealthCheck,
    HealthCheckKind,
    Host,
    Inventory,
    Kernel,
    OperatingSystem,
    Package,
    PackageSet,
)
from suture.core.planning.plan import (
    HostPlan,
    Plan,
    RebootRule,
    ServiceLimit,
    Slot,
    Timetable,
    Wave,
)
from suture.core.planning.windows import Freeze, Window
from suture.core.selection.ledger import Change, Ledger, LedgerEntry, Reason, Selection

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def host(name: str, **fields: Any) -> Host:
    return Host(**{"name": name, "address": "192.0.2.1"} | fields)


def package(name: str = "nginx", version: str = "1.22.1-9", **fields: Any) -> Package:
    defaults = {"arch": "amd64", "source": name, "source_version": version}
    return Package(**{"name": name, "version": version} | defaults | fields)


def inventory(name: str, packages: Sequence[Package] = (), **fields: Any) -> Inventory:
    defaults: dict[str, Any] = {
        "collected_at": NOW,
        "os": OperatingSystem("debian", "12", "bookworm"),
        "arch": "amd64",
        "foreign_archs": (),
        "kernel": Kernel("6.1.0-1-amd64"),
        "boot_id": "b",
        "package_manager": "apt",
        "packages": PackageSet(tuple(packages) or (package(),)),
        "reboot_required": False,
        "clock": Clock(0.0, 0.1),
        "indexes_age_s": 60.0,
    }
    empty = (
        "held automatic third_party pinned updates installable archives reboot_packages stale "
        "listeners services disks updaters"
    )
    nothing: dict[str, Any] = dict.fromkeys(empty.split(), ())
    return Inventory(**{"host": name} | nothing | defaults | fields)


def change(name: str = "nginx", **fields: Any) -> Change:
    defaults: dict[str, Any] = {
        "arch": "amd64",
        "before": "1.22.1-9",
        "after": "1.22.1-9+deb12u1",
        "source": name,
        "source_version": fields.get("after", "1.22.1-9+deb12u1"),
        "filename": f"pool/main/{name}.deb",
        "size": 1000,
        "sha256": digest(name),
        "origin": "Debian-Security:bookworm-security/main",
        "cves": ("CVE-2026-0001",),
    }
    return Change(**{"package": name} | defaults | fields)


def ledger(changes: Sequence[Change]) -> Ledger:
    entries = tuple(
        LedgerEntry(c.package, c.arch, c.before, c.after, c.reason)
        for c in changes
        if c.before is not None
    )
    return Ledger(len(entries), entries)


def selection(*changes: Change) -> Selection:
    return Selection(changes, ledger(changes))


def nothing_selected() -> Selection:
    entry = LedgerEntry("bash", "amd64", "5.1", "5.2", Reason.NOT_SECURITY)
    return Selection((), Ledger(1, (entry,)))


def host_plan(name: str, **fields: Any) -> HostPlan:
    changes = fields.pop("changes", (change(),))
    defaults: dict[str, Any] = {
        "release": "debian:12",
        "arch": "amd64",
        "package_set": digest("packages"),
        "class_id": "c",
        "patch_set": digest(changes),
        "changes": changes,
        "ledger": ledger(changes),
        "closes": ("CVE-2026-0001",),
        "ring": "canary",
        "service": None,
        "checks": (HealthCheck(HealthCheckKind.UNIT, "nginx.service"),),
        "restarts": ("nginx.service",),
        "reboot": RebootRule.IF_NEEDED,
        "reboot_expected": False,
        "download_bytes": 1000,
        "estimated_s": 20.0,
    }
    return HostPlan(**{"host": name} | defaults | fields)


def wave(index: int, hosts: Sequence[str], **fields: Any) -> Wave:
    defaults: dict[str, Any] = {
        "ring": f"ring-{index}",
        "parallel": 10,
        "soak_s": 60.0,
        "max_failures": 0,
        "approval": False,
    }
    return Wave(**defaults | {"index": index, "hosts": tuple(hosts)} | fields)


def plan(
    waves: Sequence[Wave],
    services: Mapping[str, tuple[Sequence[str], int]] | None = None,
    **fields: Any,
) -> Plan:
    """``services`` is name → (members, how many may be out). ``jumps`` is host → jump host."""
    jumps: dict[str, str] = fields.pop("jumps", {})
    service_of = {m: name for name, (members, _) in (services or {}).items() for m in members}
    hosts = tuple(
        host_plan(name, ring=w.ring, service=service_of.get(name), jump=jumps.get(name))
        for w in waves
        for name in w.hosts
    )
    limits = tuple(
        ServiceLimit(name, tuple(members), most)
        for name, (members, most) in (services or {}).items()
    )
    defaults: dict[str, Any] = {
        "schema": 1,
        "created_at": NOW,
        "policy": digest("policy"),
        "parent": None,
        "hosts": hosts,
        "waves": tuple(waves),
        "services": limits,
        "left_out": (),
        "held_back": (),
        "jump_limits": tuple((jump, 1) for jump in sorted(set(jumps.values()))),
    }
    return Plan(**defaults | fields)


def timed(
    whole: Plan, windows: Sequence[Window], freezes: Sequence[Freeze] = (), /, **fields: Any
) -> Plan:
    """``whole`` with the same times for all of its hosts; each takes a minute there and back."""
    defaults: dict[str, Any] = {
        "windows": tuple(window.name for window in windows),
        "freezes": tuple(freeze.name for freeze in freezes),
        "exploited": False,
        "takes_s": 60.0,
        "reserve_s": 60.0,
    }
    slots = tuple(Slot(**{"host": host.host} | defaults | fields) for host in whole.hosts)
    return replace(whole, timetable=Timetable(tuple(windows), tuple(freezes), slots))


def with_host(whole: Plan, name: str, **fields: Any) -> Plan:
    """``whole`` with fields of one host plan changed."""
    hosts = tuple(replace(h, **fields) if h.host == name else h for h in whole.hosts)
    return replace(whole, hosts=hosts)


def fleet_of(inventories: Iterable[Inventory]) -> Fleet:
    """From whole inventories."""
    interner = Interner()
    hosts, releases, streams, sets = [], [], [], []
    for inventory in inventories:
        counted = groups(inventory).values()
        sets.append(interner.intern(package for group in counted for package in group.packages))
        hosts.append(inventory.host)
        releases.append(inventory.os.release)
        streams.append(channels.stream(inventory.os, inventory.archives))
    return columns(interner.packages, hosts, releases, sets, streams)
