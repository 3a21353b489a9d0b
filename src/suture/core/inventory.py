"""Hosts and what was seen on them.

An :class:`Inventory` is an observation: true when it was made, admittedly stale afterwards.
Everything that comes from a host is hostile input; parsers in ``suture.hosts`` check lengths and
characters before one of these is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from suture.core.documents import Document, digest
from suture.core.releases import base_release


class Criticality(StrEnum):
    """What the organisation loses when the host is harmed."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Exposure(StrEnum):
    """Who can reach the host."""

    ISOLATED = "isolated"
    INTERNAL = "internal"
    PUBLIC = "public"


class HealthCheckKind(StrEnum):
    UNIT = "unit"
    PORT = "port"
    HTTP = "http"
    COMMAND = "command"
    FILE = "file"


class HealthCheck(Document, frozen=True):
    """One question whose answer must be yes before and after a patch.

    ``target`` is a unit name, ``address:port``, a URL, a shell command run as root on the host, or
    the absolute path of something that is there. ``status`` applies to HTTP, ``body`` (a substring)
    to HTTP and files; ``mode`` (octal), ``owner`` (``user:group``) and ``sha256`` to files, and are
    left out of the document where they do not matter. ``proposed`` marks checks derived from what
    was listening, as opposed to those that a person wrote.
    """

    kind: HealthCheckKind
    target: str
    status: int = 200
    body: str = ""
    timeout_s: float = 10.0
    proposed: bool = False
    mode: str | UnsetType = UNSET
    owner: str | UnsetType = UNSET
    sha256: str | UnsetType = UNSET

    @property
    def name(self) -> str:
        return f"{self.kind.value} {self.target}"


class Host(Document, frozen=True):
    """A server as the operator enrolled it; ``name`` is unique in the fleet.

    ``user`` other than root needs ``sudo -n``. ``key`` is a path to a private key file, None for
    the agent. ``jump`` is ``user@host[:port]``.
    """

    name: str
    address: str
    port: int = 22
    user: str = "root"
    key: str | None = None
    jump: str | None = None
    labels: tuple[str, ...] = ()
    service: str | None = None
    criticality: Criticality = Criticality.MEDIUM
    exposure: Exposure = Exposure.INTERNAL
    ring: str | None = None
    checks: tuple[HealthCheck, ...] = ()


class Origin(Document, frozen=True):
    """Where a version can be had: the fields of an archive's signed Release file.

    ``archive`` is the suite (``oldstable-security``), ``codename`` its name
    (``bookworm-security``), ``component`` the section of the archive (``main``), ``site`` the
    server's name or ``local`` for a file.
    """

    origin: str = ""
    label: str = ""
    archive: str = ""
    codename: str = ""
    component: str = ""
    site: str = ""

    @property
    def is_security(self) -> bool:
        """Whether the archive declares itself a security archive (Debian and Ubuntu do)."""
        return (
            self.codename.endswith("-security")
            or self.archive.endswith("-security")
            or self.label.endswith("-Security")
            or self.codename.endswith("/updates")
        )

    def __str__(self) -> str:
        name = self.label or self.origin or self.site or "unknown"
        return f"{name}:{self.codename or self.archive}/{self.component}"


class PackageState(StrEnum):
    """The state that the package manager records, not what it should be."""

    INSTALLED = "installed"
    RESIDUAL = "residual"  # removed, configuration files remain
    HALF_INSTALLED = "half-installed"
    HALF_CONFIGURED = "half-configured"
    UNPACKED = "unpacked"
    TRIGGERS = "triggers-pending"
    UNKNOWN = "unknown"

    @property
    def is_gone(self) -> bool:
        return self is PackageState.RESIDUAL

    @property
    def is_broken(self) -> bool:
        return self not in (PackageState.INSTALLED, PackageState.RESIDUAL)


class Package(Document, frozen=True, order=True, omit_defaults=True):
    """One binary package that the package manager records. Versions are as it writes them.

    ``module`` is the rpm module stream that it belongs to (``nodejs:18``), empty for none.
    """

    name: str
    arch: str
    version: str
    source: str
    source_version: str
    state: PackageState = PackageState.INSTALLED
    module: str = ""

    @property
    def key(self) -> str:
        return f"{self.name}:{self.arch}"


class PackageSet(Document, frozen=True, dict=True):
    """A host's packages, sorted; hosts with the same packages have the same digest.

    Clones share one, so what is asked of it for every host is worked out once.
    """

    packages: tuple[Package, ...]

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> str:
        return digest(self.packages)

    @cached_property
    def broken(self) -> tuple[Package, ...]:
        return tuple(package for package in self.packages if package.state.is_broken)


class AvailableVersion(Document, frozen=True):
    """A version that an enabled archive offers, from the archive's signed index.

    ``sha256`` and ``size`` (bytes) are of the package file at ``filename`` in the archive.
    Relations are in the package manager's own syntax (``libc6 (>= 2.36), a | b``).
    ``phased_percent`` is below 100 while the distribution rolls the version out by share.
    """

    name: str
    arch: str
    version: str
    source: str
    source_version: str
    origins: tuple[Origin, ...]
    filename: str = ""
    size: int = 0
    installed_size_kib: int = 0
    sha256: str = ""
    depends: str = ""
    pre_depends: str = ""
    breaks: str = ""
    conflicts: str = ""
    provides: str = ""
    replaces: str = ""
    essential: bool = False
    phased_percent: int = 100

    @property
    def key(self) -> str:
        return f"{self.name}:{self.arch}"

    @property
    def is_security(self) -> bool:
        return any(origin.is_security for origin in self.origins)


class Update(Document, frozen=True):
    """An installed package with something newer on offer.

    ``versions`` are all versions newer than the installed one, newest first. ``candidate`` is
    the one that the package manager itself would take, None when pins hold it at the installed
    version. ``deferred`` is set when the package manager holds it back by phasing.
    """

    name: str
    arch: str
    installed: str
    source: str
    candidate: str | None
    versions: tuple[AvailableVersion, ...]
    deferred: bool = False

    @property
    def key(self) -> str:
        return f"{self.name}:{self.arch}"


class OperatingSystem(Document, frozen=True):
    """From ``/etc/os-release``; ``id`` is ``almalinux``, ``version`` ``9.4``."""

    id: str
    version: str
    codename: str = ""
    pretty: str = ""

    @property
    def release(self) -> str:
        """As advisories name it (``almalinux:9``)."""
        return base_release(self.id, self.version)

    @property
    def title(self) -> str:
        """For people: the release as the host names itself."""
        return self.pretty or f"{self.id} {self.version}".strip()


class Kernel(Document, frozen=True):
    """``running`` is ``uname -r``; ``installed`` the newest first. Empty inside a container."""

    running: str
    installed: tuple[str, ...] = ()
    container: bool = False


class StaleProcess(Document, frozen=True):
    """A process that still maps a file which has been replaced or removed on disk.

    ``package`` owns ``path``; empty when the package manager does not know it.
    """

    pid: int
    command: str
    unit: str
    path: str
    package: str = ""


class Listener(Document, frozen=True):
    """A listening socket. ``unit`` is the systemd service of its process, if any."""

    protocol: str
    address: str
    port: int
    process: str = ""
    unit: str = ""


class Service(Document, frozen=True):
    """A systemd service unit: ``active`` as in ``ActiveState``; ``enabled`` is that word where
    links start it at boot or on demand, else empty."""

    unit: str
    active: str
    sub: str
    enabled: str = ""


class Disk(Document, frozen=True):
    """Free space of the file system that holds ``mount``, in bytes."""

    mount: str
    total: int
    free: int
    free_inodes: int


class Updater(Document, frozen=True):
    """Another automatic updater that may change packages behind our back."""

    name: str
    active: bool
    enabled: bool


class Clock(Document, frozen=True):
    """``skew_s`` is the host's clock minus ours, in seconds, within ``uncertainty_s``."""

    skew_s: float
    uncertainty_s: float
    synchronised: bool | None = None


class Configuration(Document, frozen=True):
    """Settings that bear on security. ``sshd`` are those in force, by their lower-case names;
    empty where there is no sshd or they could not be read, which the notes then say.
    ``unauthenticated`` are the places that let packages in without a valid signature."""

    sshd: Mapping[str, str]
    unauthenticated: tuple[str, ...]


class Identity(Document, frozen=True):
    """By what other scanners may know the host: its full names, the addresses of its own
    interfaces, and the ids of their agents."""

    names: tuple[str, ...]
    addresses: tuple[str, ...]
    agents: tuple[str, ...]


class Platform(Document, frozen=True):
    """What the system runs on: ``virtualization`` as systemd names it (``kvm``; ``none`` for a
    machine of its own), the processor's maker as it names itself (``GenuineIntel``), empty where
    they could not be found out; and the kernel modules that DKMS builds there."""

    virtualization: str
    cpu_vendor: str
    dkms: tuple[str, ...]


class Inventory(Document, frozen=True):
    """All that one collection found out about a host.

    ``held``, ``automatic``, ``third_party`` and ``pinned`` are package keys (``name:arch``).
    ``third_party`` are installed packages that none of the distribution's archives offers.
    ``updates`` are the available updates: every installed package with a newer version on offer.
    ``installable`` are versions of packages not installed now, which a full upgrade would pull
    in. ``indexes_age_s`` is how old the host's package lists are, in seconds, None where there
    are none. ``notes`` say what could not be read and why; absence is never taken for zero.
    ``configuration``, ``identity`` and ``platform`` are None in what an older version collected.
    ``stamp`` is of the files that the packages were read from, as the host's file system describes
    them; empty where nothing would be known by it.
    """

    host: str
    collected_at: datetime
    os: OperatingSystem
    arch: str
    foreign_archs: tuple[str, ...]
    kernel: Kernel
    boot_id: str
    package_manager: str
    packages: PackageSet
    held: tuple[str, ...]
    automatic: tuple[str, ...]
    third_party: tuple[str, ...]
    pinned: tuple[str, ...]
    updates: tuple[Update, ...]
    installable: tuple[AvailableVersion, ...]
    archives: tuple[Origin, ...]
    reboot_required: bool
    reboot_packages: tuple[str, ...]
    stale: tuple[StaleProcess, ...]
    listeners: tuple[Listener, ...]
    services: tuple[Service, ...]
    disks: tuple[Disk, ...]
    updaters: tuple[Updater, ...]
    clock: Clock
    indexes_age_s: float | None
    notes: tuple[str, ...] = ()
    configuration: Configuration | None = None
    identity: Identity | None = None
    platform: Platform | None = None
    stamp: str = ""

    def common(self) -> Inventory:
        """Without what hosts that are made alike differ in, and what changes from one look to the
        next; so what follows from it need be worked out only once for all of them."""
        return replace(self, **_OF_ITS_OWN)


_OF_ITS_OWN: dict[str, Any] = {
    "host": "",
    "collected_at": datetime.min.replace(tzinfo=UTC),
    "boot_id": "",
    "disks": (),
    "updaters": (),
    "clock": Clock(0.0, 0.0),
    "indexes_age_s": None,
    "notes": (),
    "configuration": None,
    "identity": None,
    "stamp": "",
}
