"""What a reader of the plan may expect on a host: restarts, a reboot, checks, the time it takes.

Expectations are for people and for choosing what to check. What is really stale after the patch
decides what is restarted, and the host itself says whether it needs a reboot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import UNSET, UnsetType

from suture.core.controls import Control, masked_units
from suture.core.data_backups import DataBackup, SnapshotRule
from suture.core.documents import digest
from suture.core.host_patterns import HostGroups, matches
from suture.core.inventory import HealthCheck, HealthCheckKind, Host, Inventory, Listener, Service
from suture.core.planning.plan import RebootRule
from suture.core.policy import Policy
from suture.core.selection.ledger import Change

# Source package → unit, where the names have nothing in common.
_UNIT_OF_SOURCE = {"openssh": "ssh", "bind9": "named", "isc-dhcp": "isc-dhcp-server"}

# Packages after which Debian and Ubuntu ask for a reboot, besides the kernel's own.
_REBOOT_PACKAGES = frozenset({"amd64-microcode", "dbus", "intel-microcode", "libc6", "systemd"})
_KERNEL_IMAGE = re.compile(r"linux-image-.*\d")
_KERNEL_PACKAGE = re.compile(r"^linux-(image|modules)-")

# Ports from here on are given out by the kernel and are others after a restart.
_FIRST_EPHEMERAL_PORT = 32768

_MOST_PROPOSED_UNITS = 16
_NONE: frozenset[str] = frozenset()


def class_id(
    inventory: Inventory, package_set: str, patch_set: str, controls: Sequence[Control] = ()
) -> str:
    """The group of hosts that one twin stands for: the same release, architecture, packages,
    services, patches and controls. 12 hex digits. The sets are given by their digests."""
    units = {
        service.unit
        for service in inventory.services
        if service.active == "active" and service.enabled.startswith("enabled")
    }
    units |= {listener.unit for listener in inventory.listeners if listener.unit}
    return digest(
        (
            inventory.os.release,
            inventory.arch,
            inventory.foreign_archs,
            package_set,
            sorted(units),
            patch_set,
            *([tuple(controls)] if controls else []),
        )
    )[:12]


def expected_restarts(inventory: Inventory, changes: Iterable[Change]) -> tuple[str, ...]:
    """Active units whose name says that they run a changed package; libraries are not guessed."""
    names = {name for change in changes for name in names_of(change.package, change.source)}
    return tuple(sorted(Units(inventory.services).running(names)))


def names_of(package: str, source: str) -> frozenset[str]:
    """The names by which a package's unit may go."""
    return frozenset({package, source, _UNIT_OF_SOURCE.get(source, package)})


class Units:
    """Active units, found by the names of what they run: ``nginx.service`` runs nginx,
    ``postgresql@15-main.service`` runs postgresql-15, and ``php8.2-fpm.service`` runs php8.2."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._of: dict[str, set[str]] = {}
        self._beginning: dict[str, set[str]] = {}
        for service in services:
            if service.active == "active":
                stem = service.unit.removesuffix(".service").split("@")[0]
                self._of.setdefault(stem, set()).add(service.unit)
                for beginning in _beginnings(stem):
                    self._beginning.setdefault(beginning, set()).add(service.unit)

    def running(self, names: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for name in names:
            found |= self._beginning.get(name, _NONE)
            for stem in (name, *_beginnings(name)):
                found |= self._of.get(stem, _NONE)
        return found


def expects_reboot(inventory: Inventory, changes: Iterable[Change], rule: RebootRule) -> bool:
    """Whether the host will probably be rebooted under ``rule``. Controls alone need no reboot, but
    where a module is in use, which the host itself finds out."""
    changes = tuple(changes)
    if rule is not RebootRule.IF_NEEDED or not changes:
        return rule is RebootRule.ALWAYS
    if inventory.reboot_required:
        return True
    return not inventory.kernel.container and any(
        change.package in _REBOOT_PACKAGES or _KERNEL_PACKAGE.match(change.package)
        for change in changes
    )


def kernels(changes: Iterable[Change]) -> tuple[str, ...]:
    """The kernel packages among them."""
    return tuple(one.package for one in changes if _KERNEL_IMAGE.match(one.package))


class Checks:
    """The health checks of hosts: their own, the policy's, their service's, and those proposed from
    what listens. Proposals are worked out once for hosts that share their inventory."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._groups = HostGroups((check.on,) for check in policy.checks)
        self._proposed: dict[tuple[int, ...], tuple[HealthCheck, ...]] = {}

    def of(
        self, host: Host, inventory: Inventory, controls: Sequence[Control] = ()
    ) -> tuple[HealthCheck, ...]:
        """Nothing is proposed for units that ``controls`` mask. The same question is asked once, as
        the first to ask wrote it. ``inventory`` and ``controls`` must outlive this."""
        written = self._written(host)
        proposed = self._proposals(inventory, controls) if self._policy.propose_checks else ()
        if not written:
            return proposed
        unique: dict[tuple[HealthCheckKind, str], HealthCheck] = {}
        for check in (*written, *proposed):
            unique.setdefault((check.kind, check.target), check)
        return tuple(unique.values())

    def _written(self, host: Host) -> list[HealthCheck]:
        """By people."""
        checks = [*host.checks]
        checks += [self._policy.checks[at].check for at in self._groups.of(host)]
        if host.service:
            checks += [check.check for check in self._policy.service(host.service).checks]
        return checks

    def _proposals(
        self, inventory: Inventory, controls: Sequence[Control]
    ) -> tuple[HealthCheck, ...]:
        key = id(inventory), *map(id, controls)
        if key not in self._proposed:
            masked = masked_units(controls)
            listeners = [one for one in inventory.listeners if one.unit not in masked]
            self._proposed[key] = tuple(proposed_checks(listeners))
        return self._proposed[key]


def data_backup(host: Host, policy: Policy) -> DataBackup | UnsetType:
    """The data that the policy has the host keep before it is touched; UNSET for none."""
    kept = policy.backup
    if not (kept.data or kept.dumps or kept.snapshots):
        return UNSET
    directories = [one.directory for one in kept.data if matches(host, one.on)]
    dumps = [one.dump for one in kept.dumps if matches(host, one.on)]
    by_path = {one.path: one for one in directories}
    by_name = {one.name: one for one in dumps}
    rules = (one.rule for one in kept.snapshots if matches(host, one.on))
    backup = DataBackup(
        tuple(by_path.values()), tuple(by_name.values()), next(rules, SnapshotRule.NEVER)
    )
    return UNSET if backup == DataBackup() else backup


def proposed_checks(listeners: Sequence[Listener]) -> list[HealthCheck]:
    """That each service that listens on TCP stays active and goes on listening there.

    Sockets on all addresses are asked on loopback. Ephemeral ports are left out: they change with
    every restart. So are link-local addresses, which need an interface.
    """
    units = sorted({item.unit for item in listeners if item.unit.endswith(".service")})
    checks = []
    for unit in units[:_MOST_PROPOSED_UNITS]:
        checks.append(HealthCheck(HealthCheckKind.UNIT, unit, proposed=True))
        targets = {_target(item) for item in listeners if item.unit == unit and _is_lasting(item)}
        checks += [HealthCheck(HealthCheckKind.PORT, t, proposed=True) for t in sorted(targets)]
    return checks


def _is_lasting(listener: Listener) -> bool:
    return (
        listener.protocol.startswith("tcp")
        and 0 < listener.port < _FIRST_EPHEMERAL_PORT
        and "%" not in listener.address
    )


def _target(listener: Listener) -> str:
    address = listener.address.strip("[]")
    if address in ("", "*", "0.0.0.0"):  # noqa: S104
        return f"127.0.0.1:{listener.port}"
    if address == "::":
        return f"[::1]:{listener.port}"
    return f"[{address}]:{listener.port}" if ":" in address else f"{address}:{listener.port}"


@lru_cache(maxsize=65_536)
def _beginnings(name: str) -> tuple[str, ...]:
    """Of ``a-b-c``: ``a`` and ``a-b``."""
    parts = name.split("-")
    return tuple("-".join(parts[:count]) for count in range(1, len(parts)))
