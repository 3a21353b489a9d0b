"""What a person asks for when a host is to go back, and the part of its plan that goes back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase

from msgspec.structs import replace

from suture.core.documents import Document
from suture.core.planning.plan import HostPlan, Plan


class Refusal(StrEnum):
    """Why a way back is not safe (any more)."""

    NO_BUNDLE = "no-bundle"
    OTHER_RELEASE = "other-release"
    CHANGED_PACKAGES = "changed-packages"
    DEPENDENTS = "dependents"
    CHANGED_CONFIGURATION = "changed-configuration"
    CHANGED_DATA = "changed-data"
    NO_DATA = "no-data"
    NO_SNAPSHOT = "no-snapshot"
    DATA_LOSS = "data-loss"
    UNREACHABLE = "unreachable"
    BUSY = "busy"


class WayBack(Document, frozen=True, omit_defaults=True):
    """How a host is to go back. ``sources`` are the source packages that do, all where none is
    named. With ``keep_changed``, files that somebody changed after the patch stay as they are;
    with ``accept_changed_data``, the old versions get data that newer ones have converted;
    ``with_data``, the data of before replaces what was written since. ``snapshot`` is the last
    resort: whole file systems, and with ``accept_data_loss`` all that was written since is lost;
    ``machine_snapshot`` is the id of one that a hypervisor or a cloud keeps.
    """

    sources: tuple[str, ...] = ()
    keep_changed: bool = False
    accept_changed_data: bool = False
    with_data: bool = False
    snapshot: bool = False
    accept_data_loss: bool = False
    machine_snapshot: str = ""

    @property
    def is_partial(self) -> bool:
        return bool(self.sources)

    @property
    def accepted(self) -> tuple[Refusal, ...]:
        """The refusals that the person has overruled."""
        said = {
            Refusal.CHANGED_CONFIGURATION: self.keep_changed,
            Refusal.CHANGED_DATA: self.accept_changed_data or self.with_data,
            Refusal.DATA_LOSS: self.accept_data_loss,
        }
        return tuple(kind for kind, accepted in said.items() if accepted)


class AskedBack(Document, frozen=True):
    """A host that waits for its way back; see :class:`WayBack` for ``how``."""

    host: str
    how: WayBack
    reason: str


_KEEP_DATA = (
    "postgresql*",
    "mariadb*",
    "mysql*",
    "percona*",
    "mongodb*",
    "redis*",
    "valkey*",
    "openldap",
    "elasticsearch",
    "opensearch",
    "influxdb*",
    "clickhouse*",
    "cassandra",
    "rabbitmq-server",
)


def keeping_data(sources: Iterable[str]) -> tuple[str, ...]:
    """Those of the source packages whose programs keep data that no return bundle holds."""
    return tuple(sorted(s for s in set(sources) if any(fnmatchcase(s, p) for p in _KEEP_DATA)))


def narrowed(plan: HostPlan, sources: Collection[str]) -> HostPlan:
    """The plan of some source packages alone: controls are no part of that."""
    if not sources:
        return plan
    changes = tuple(change for change in plan.changes if change.source in sources)
    return replace(plan, changes=changes, controls=())


def in_order(plan: Plan, hosts: Iterable[str]) -> tuple[str, ...]:
    """Hosts in the order of the waves, each once."""
    wanted = set(hosts)
    return tuple(host for wave in plan.waves for host in wave.hosts if host in wanted)


def of_waves(plan: Plan, numbers: Sequence[int], rings: Sequence[str]) -> tuple[str, ...]:
    """The hosts of the waves with these numbers (from 1, as they are shown) and of these rings, of
    both where both are named; raises :class:`KeyError` for one that the plan has not."""
    known = {wave.index + 1 for wave in plan.waves} | {wave.ring for wave in plan.waves}
    for name in (*numbers, *rings):
        if name not in known:
            raise KeyError(name)
    return tuple(
        host
        for wave in plan.waves
        if (not numbers or wave.index + 1 in numbers) and (not rings or wave.ring in rings)
        for host in wave.hosts
    )
