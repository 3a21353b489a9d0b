"""The plan: what will happen on which host, in which order, and why the rest is left out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from suture.core.documents import Document, digest
from suture.core.inventory import HealthCheck
from suture.core.selection import Change, Ledger


class RebootRule(StrEnum):
    NEVER = "never"
    IF_NEEDED = "if-needed"
    ALWAYS = "always"


class HostPlan(Document, frozen=True):
    """All that will be done to one host.

    ``package_set`` is the digest of the packages that the plan assumes: a host in another state
    is left alone. ``changed`` are the same packages' versions for a readable comparison.
    ``class_id`` names the group of hosts that one twin stands for. ``restarts`` are the units
    expected to need a restart, for the reader; what is really stale is restarted.
    ``patch_set`` is the digest of ``changes``. ``jump`` is the host on the way to it, whose
    connections are limited.
    """

    host: str
    release: str
    arch: str
    package_set: str
    class_id: str
    patch_set: str
    changes: tuple[Change, ...]
    ledger: Ledger
    closes: tuple[str, ...]
    ring: str
    service: str | None
    checks: tuple[HealthCheck, ...]
    restarts: tuple[str, ...]
    reboot: RebootRule
    reboot_expected: bool
    download_bytes: int
    estimated_s: float
    jump: str | None = None


class Wave(Document, frozen=True):
    """Hosts that may be worked on at the same time, at most ``parallel`` of them.

    A wave starts when the one before it is done, its gate passed and ``soak_s`` is over.
    """

    index: int
    ring: str
    hosts: tuple[str, ...]
    parallel: int
    soak_s: float
    max_failures: int
    approval: bool


class ServiceLimit(Document, frozen=True):
    """At most ``max_out`` hosts of ``service`` may be out at once."""

    service: str
    members: tuple[str, ...]
    max_out: int


class LeftOut(Document, frozen=True):
    """A host that the plan does not touch, and why.

    ``unknown`` tells that its present state could not be established: it may be down, so it
    counts as out of its service.
    """

    host: str
    reason: str
    unknown: bool = False


class HeldBack(Document, frozen=True):
    """A source package version that must not be deployed, and the proof."""

    source: str
    version: str
    reason: str


class Plan(Document, frozen=True):
    """Immutable; its ``id`` is derived from everything else in it.

    ``parent`` is the plan that this one corrects, for example after a failed rehearsal.
    """

    schema: int
    created_at: datetime
    policy: str
    parent: str | None
    hosts: tuple[HostPlan, ...]
    waves: tuple[Wave, ...]
    services: tuple[ServiceLimit, ...]
    left_out: tuple[LeftOut, ...]
    held_back: tuple[HeldBack, ...]
    rollback_on_failure: bool = True
    jump_limits: tuple[tuple[str, int], ...] = ()

    @property
    def id(self) -> str:
        return digest(self)[:12]

    def host(self, name: str) -> HostPlan:
        for host in self.hosts:
            if host.host == name:
                return host
        raise KeyError(name)
