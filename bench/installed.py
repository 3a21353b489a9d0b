"""An installation as scans and a synced feed leave it, for what a command takes as a whole.

Hosts are of 200 kinds: each has the same 600 packages, of which 12 are old, with an update on offer
that closes one or two vulnerabilities. What they say of themselves besides is for ``plan`` too.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from bench.measure import run_child
from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.core.inventory import (
    AvailableVersion,
    Clock,
    Disk,
    Host,
    Inventory,
    Kernel,
    Listener,
    OperatingSystem,
    Origin,
    Package,
    PackageSet,
    Service,
    Update,
)
from suture.store import hosts, inventories, records
from suture.store.database import open_store

_KINDS, _PACKAGES, _OLD = 200, 600, 12
_BEFORE, _AFTER = "1.2-1", "1.2-1+deb12u1"
_ARCHIVE = Origin(
    "Debian", "Debian-Security", "stable-security", "bookworm-security", "main", "security"
)
_POLICY = """\
rings:
  - name: canary
    hosts: [canary]
    soak: 1h
  - name: early
    share: 25%
    soak: 1d
    parallel: 500
  - name: broad
    parallel: 2000
windows:
  - name: nights
    hosts: [prod]
    rule: FREQ=DAILY
    start: "22:00"
    duration: 4h
  - name: weekends
    rule: FREQ=WEEKLY;BYDAY=SA,SU
    start: "02:00"
    duration: 6h
    zone: Europe/Berlin
"""


def host(draw: random.Random, number: int) -> Host:
    return Host(
        name=f"host-{number:06}",
        address="192.0.2.1",
        jump=f"ops@jump-{number % 20}",
        labels=("prod" if draw.random() < 0.7 else "test", *(("canary",) if number < 50 else ())),
        service=f"service-{number % 2000}" if draw.random() < 0.8 else None,
    )


def inventory(number: int, packages: PackageSet, now: datetime) -> Inventory:
    """Of a kind of hosts, by its number."""
    names = "held automatic third_party pinned updates installable archives reboot_packages"
    nothing: dict[str, Any] = dict.fromkeys([*names.split(), "stale", "disks", "updaters"], ())
    return Inventory(
        host=f"kind-{number}",
        collected_at=now,
        os=OperatingSystem("debian", "12", "bookworm"),
        arch="amd64",
        foreign_archs=(),
        kernel=Kernel("6.1.0-1-amd64"),
        boot_id="b",
        package_manager="apt",
        packages=packages,
        reboot_required=False,
        listeners=(Listener("tcp", "0.0.0.0", 80, "nginx", "nginx.service"),),
        services=tuple(Service(f"s{n}.service", "active", "running") for n in range(40)),
        clock=Clock(0.0, 0.1),
        indexes_age_s=60.0,
        **nothing,
    )


def created(count: int, runs: int) -> tuple[float, ...]:
    """Seconds of ``suture plan create`` for so many hosts, by a program whose bytecode is there,
    as ``pip`` leaves it."""
    with tempfile.TemporaryDirectory() as home:
        install(Path(home), count)
        program = "import sys; from suture.cli.main import main; main()"
        command = [sys.executable, "-c", program, "--home", home, "plan"]
        env = os.environ | {
            "PYTHONPYCACHEPREFIX": f"{home}/bytecode",
            "PYTHONDONTWRITEBYTECODE": "",
        }
        run_child([*command, "create", "--host", "host-000000"], env=env)
        return tuple(run_child([*command, "create"], env=env).seconds for _ in range(runs))


def install(home: Path, count: int) -> None:
    draw, now = random.Random(count), datetime.now(UTC)
    kinds = [_kind(random.Random(number), number) for number in range(_KINDS)]
    (home / "policy.yaml").write_text(_POLICY)
    store = open_store(f"sqlite:///{home}/suture.sqlite")
    with store.begin() as connection:
        for number in range(count):
            enrolled = host(draw, number)
            hosts.save(connection, enrolled, now)
            inventories.record(connection, _seen(draw, draw.choice(kinds), enrolled.name, now))
        rows = (row for one in _advisories() for row in records.rows(one))
        records.apply(connection, "debian", "all", rows, now)
    store.close()


def _seen(draw: random.Random, kind: Inventory, host: str, now: datetime) -> Inventory:
    """A host of the kind, with what is its own."""
    return replace(
        kind,
        host=host,
        collected_at=now,
        boot_id=secrets.token_hex(16),
        clock=Clock(draw.random(), 0.1),
        disks=(Disk("/", 100 << 30, draw.randrange(10 << 30, 50 << 30), 10**6),),
    )


def _kind(draw: random.Random, number: int) -> Inventory:
    old = set(draw.sample(range(_PACKAGES), _OLD))
    packages = sorted(_package(n, _BEFORE if n in old else _AFTER) for n in range(_PACKAGES))
    return replace(
        inventory(number, PackageSet(tuple(packages)), datetime.now(UTC)),
        updates=tuple(_update(n) for n in sorted(old)),
        archives=(_ARCHIVE,),
    )


def _package(number: int, version: str) -> Package:
    name = f"package-{number}"
    return Package(name, "amd64", version, name, version)


def _update(number: int) -> Update:
    name = f"package-{number}"
    version = AvailableVersion(
        *(name, "amd64", _AFTER, name, _AFTER, (_ARCHIVE,)),
        filename=f"pool/{name}.deb",
        size=100_000,
        sha256=f"{number:064x}",
        depends="package-1 (>= 1.0)",
    )
    return Update(name, "amd64", _BEFORE, name, _AFTER, (version,))


def _advisories() -> list[Advisory]:
    """One of each package, of every fourth two."""
    return [
        Advisory(
            *(f"DSA-{n}-{turn}", "debian", (f"CVE-2026-{10_000 + 4 * n + turn}",)),
            (Affected("debian:12", f"package-{n}", FixState.FIXED, fixed=_AFTER),),
            severity=Severity.HIGH,
            published=date(2026, 2, 1),
        )
        for n in range(_PACKAGES)
        for turn in range(1 if n % 4 else 2)
    ]
