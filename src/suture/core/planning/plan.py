"""The plan: what will happen on which host, in which order, and why the rest is left out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property

from msgspec import UNSET, UnsetType, field

from suture.core.controls import Control
from suture.core.data_backups import DataBackup
from suture.core.documents import Document, encode
from suture.core.inventory import HealthCheck
from suture.core.planning.gates import Gate
from suture.core.planning.hooks import Hook
from suture.core.planning.windows import Freeze, Window
from suture.core.policies.approvals import ApprovalPolicy
from suture.core.selection.ledger import Change, Ledger


class RebootRule(StrEnum):
    NEVER = "never"
    IF_NEEDED = "if-needed"
    ALWAYS = "always"


class OnFailure(StrEnum):
    """What becomes of a host that was changed and is not well, and, where more of a wave fail than
    may, of those patched so far: nothing, those of the wave, or all of the rollout are taken back.
    """

    PAUSE = "pause"
    ROLL_BACK_HOST = "roll-back-host"
    ROLL_BACK_WAVE = "roll-back-wave"
    ROLL_BACK_ALL = "roll-back-all"


REBOOT_BUDGET_S = 600.0


def _no_jump() -> None:
    return None


class HostPlan(Document, frozen=True, omit_defaults=True, gc=False):
    """All that will be done to one host.

    ``package_set`` is the digest of the packages that the plan assumes: a host in another state
    is left alone.
    ``class_id`` names the group of hosts that one twin stands for. ``restarts`` are the units
    expected to need a restart, for the reader; what is really stale is restarted.
    ``patch_set`` is the digest of ``changes``. ``jump`` is the host on the way to it, whose
    connections are limited. ``estimated_s`` is the time to fetch and install packages and to
    apply controls, in seconds.
    ``controls`` are applied after the packages; left out of the document where there are none, so
    that plans from before there were any keep their ids. So are ``hooks``, the commands around it,
    and ``backup``, the data that its return bundle holds besides what every one does.
    ``reboot_budget_s`` is how long it may take to come back from a reboot, where that is not
    ``REBOOT_BUDGET_S``.
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
    jump: str | None = field(default_factory=_no_jump)  # by a factory, so it is never left out
    controls: tuple[Control, ...] = ()
    hooks: tuple[Hook, ...] = ()
    backup: DataBackup | UnsetType = UNSET
    reboot_budget_s: float | UnsetType = UNSET

    @property
    def mitigates(self) -> tuple[str, ...]:
        """The CVEs for which its controls stand in."""
        return tuple(sorted({cve for control in self.controls for cve in control.cves}))


class Wave(Document, frozen=True):
    """Hosts that may be worked on at the same time, at most ``parallel`` of them.

    A wave starts when the one before it is closed, that one's ``soak_s`` is over, and, with
    ``approval``, a person let it start. More than ``max_failures`` failures in it pause the
    rollout, and ``on_failure`` says what is taken back then, where it is not what the plan says.
    It closes where at least ``min_verified`` percent of its hosts are patched and verified; without
    that, where not more than half were skipped. ``gate`` is what has to pass besides.
    With ``wait_s`` hosts start one by one, so many seconds after the last one began or ended.
    """

    index: int
    ring: str
    hosts: tuple[str, ...]
    parallel: int
    soak_s: float
    max_failures: int
    approval: bool
    on_failure: OnFailure | UnsetType = UNSET
    min_verified: int | UnsetType = UNSET
    gate: Gate | UnsetType = UNSET
    wait_s: float | UnsetType = UNSET


class Apart(Document, frozen=True):
    """Members of a service that share a ``label`` of its anti-affinity, such as a rack."""

    label: str
    members: tuple[str, ...]


class ServiceLimit(Document, frozen=True, dict=True):
    """At most ``max_out`` hosts of ``service`` may be out at once, so that ``quorum`` stay in, and
    never hosts of two of ``apart``. The last two are left out of the document where the policy
    says nothing of them, so that plans from before there were any keep their ids.
    """

    service: str
    members: tuple[str, ...]
    max_out: int
    quorum: int | UnsetType = UNSET
    apart: tuple[Apart, ...] | UnsetType = UNSET

    @cached_property
    def label_of(self) -> Mapping[str, str]:
        """Host → the label by which it is kept apart from others."""
        groups = self.apart or ()
        return {member: group.label for group in groups for member in group.members}


class LeftOut(Document, frozen=True, gc=False):
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


class Slot(Document, frozen=True, gc=False):
    """When one host may be worked on, and when it probably will be.

    ``windows`` and ``freezes`` are the names of those that are for it; without windows it may be
    at any time. It is started where ``takes_s``, the expected seconds there, and ``reserve_s``,
    those of the way back, fit into what is left. ``window`` is the first that admits it, from
    ``opens_at`` to ``closes_at`` (None: no end in sight), as of planning. ``expected_at`` is the
    earliest start in its wave. ``due`` is the first deadline of what is closed, ``late`` the
    vulnerability that is closed too late for its own, empty for none.
    """

    host: str
    windows: tuple[str, ...]
    freezes: tuple[str, ...]
    exploited: bool
    takes_s: float
    reserve_s: float
    due: date | None = None
    window: str = ""
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    expected_at: datetime | None = None
    late: str = ""

    @property
    def needs_s(self) -> float:
        return self.takes_s + self.reserve_s


class Timetable(Document, frozen=True, dict=True):
    """The windows and freezes that the plan keeps to, and what they mean for each host."""

    windows: tuple[Window, ...]
    freezes: tuple[Freeze, ...]
    hosts: tuple[Slot, ...]

    @cached_property
    def by_host(self) -> Mapping[str, Slot]:
        return {slot.host: slot for slot in self.hosts}

    @cached_property
    def _rules(self) -> dict[tuple[tuple[str, ...], tuple[str, ...]], _Rules]:
        return {}

    def rules(self, windows: tuple[str, ...], freezes: tuple[str, ...]) -> _Rules:
        """The windows and freezes of these names; raises :class:`KeyError`."""
        if (windows, freezes) not in self._rules:
            window = {one.name: one for one in self.windows}
            freeze = {one.name: one for one in self.freezes}
            self._rules[windows, freezes] = (
                tuple(window[name] for name in windows),
                tuple(freeze[name] for name in freezes),
            )
        return self._rules[windows, freezes]


_Rules = tuple[tuple[Window, ...], tuple[Freeze, ...]]


class CatchUp(Document, frozen=True):
    """A host that does not answer is tried so often in all, ``every_s`` seconds apart, for as long
    as the rollout runs."""

    tries: int
    every_s: float


def plan_id(document: bytes) -> str:
    """Of a plan's canonical JSON: 12 hex digits."""
    return hashlib.sha256(document).hexdigest()[:12]


class Plan(Document, frozen=True, dict=True):
    """Immutable; its ``id`` is derived from everything else in it.

    ``parent`` is the plan that this one corrects, for example after a failed rehearsal. Without a
    ``timetable`` every host may be worked on at any time. ``approvals`` say who has to agree to
    what, and are left out where the policy says nothing of it. ``max_held_back`` is how many source
    packages that fail a rollout may hold back and go on; without it, every failure counts.
    ``catch_up`` says how often hosts that do not answer are tried; without it, once. So many hosts
    as ``starts_per_minute`` are started within a minute, in all rollouts of the fleet together.
    ``predownload_s`` is how many seconds ahead of its start a host may get its packages; without
    it, not before.
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
    timetable: Timetable | UnsetType = UNSET
    approvals: ApprovalPolicy | UnsetType = UNSET
    max_held_back: int | UnsetType = UNSET
    catch_up: CatchUp | UnsetType = UNSET
    starts_per_minute: int | UnsetType = UNSET
    predownload_s: float | UnsetType = UNSET

    @cached_property
    def id(self) -> str:
        return plan_id(encode(self))

    @cached_property
    def by_host(self) -> Mapping[str, HostPlan]:
        return {host.host: host for host in self.hosts}

    @cached_property
    def bringing(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """Source package and version → the hosts that get it."""
        hosts: dict[tuple[str, str], list[str]] = {}
        for host in self.hosts:
            for pair in {(change.source, change.source_version) for change in host.changes}:
                hosts.setdefault(pair, []).append(host.host)
        return {pair: tuple(names) for pair, names in hosts.items()}

    @cached_property
    def jump_of(self) -> Mapping[str, str]:
        return {host.host: host.jump for host in self.hosts if host.jump}

    @cached_property
    def limits_of(self) -> Mapping[str, tuple[ServiceLimit, ...]]:
        """The limits that count a host, in the plan or not."""
        limits: dict[str, tuple[ServiceLimit, ...]] = {}
        for limit in self.services:
            alone = (limit,)
            for member in limit.members:
                limits[member] = (*limits[member], limit) if member in limits else alone
        return limits

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """The hosts left out that may be down."""
        return tuple(entry.host for entry in self.left_out if entry.unknown)

    @cached_property
    def wave_of(self) -> Mapping[str, int]:
        """Each host's wave by its place in ``waves``."""
        return {host: at for at, wave in enumerate(self.waves) for host in wave.hosts}

    def host(self, name: str) -> HostPlan:
        """Raises :class:`KeyError`."""
        return self.by_host[name]

    def on_failure(self, wave: Wave) -> OnFailure:
        """What follows a failure in the wave."""
        if wave.on_failure is not UNSET:
            return wave.on_failure
        return OnFailure.ROLL_BACK_HOST if self.rollback_on_failure else OnFailure.PAUSE

    def slot(self, name: str) -> Slot | None:
        """None where the plan says nothing about time."""
        return self.timetable.by_host.get(name) if self.timetable else None


class Replaced(Document, frozen=True):
    """The same package, to another version or other bytes."""

    before: Change
    after: Change


class HostDiff(Document, frozen=True):
    """One host in both plans: package changes that were added, dropped or replaced, controls by id
    (in both lists where its change is another one), and its ring before and after where it moved.
    """

    host: str
    added: tuple[Change, ...] = ()
    dropped: tuple[Change, ...] = ()
    replaced: tuple[Replaced, ...] = ()
    moved: tuple[str, str] | None = None
    controls_added: tuple[str, ...] = ()
    controls_dropped: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        packages = self.added or self.dropped or self.replaced
        return not (packages or self.controls_added or self.controls_dropped or self.moved)


class PlanDiff(Document, frozen=True):
    """``waves`` are the rings in order, before and after, None where they are the same."""

    old: str
    new: str
    hosts_added: tuple[str, ...]
    hosts_dropped: tuple[str, ...]
    hosts_changed: tuple[HostDiff, ...]
    waves: tuple[tuple[str, ...], tuple[str, ...]] | None

    @property
    def is_empty(self) -> bool:
        return not (self.hosts_added or self.hosts_dropped or self.hosts_changed or self.waves)


def diff(old: Plan, new: Plan) -> PlanDiff:
    """From ``old`` to ``new``; hosts and packages in the order of their names."""
    before = {host.host: host for host in old.hosts}
    after = {host.host: host for host in new.hosts}
    both = (_host_diff(before[name], after[name]) for name in sorted(before.keys() & after.keys()))
    rings = tuple(w.ring for w in old.waves), tuple(w.ring for w in new.waves)
    return PlanDiff(
        old=old.id,
        new=new.id,
        hosts_added=tuple(sorted(after.keys() - before.keys())),
        hosts_dropped=tuple(sorted(before.keys() - after.keys())),
        hosts_changed=tuple(host for host in both if not host.is_empty),
        waves=rings if rings[0] != rings[1] else None,
    )


def _host_diff(old: HostPlan, new: HostPlan) -> HostDiff:
    before = {change.key: change for change in old.changes}
    after = {change.key: change for change in new.changes}
    return HostDiff(
        host=new.host,
        added=tuple(after[key] for key in sorted(after.keys() - before.keys())),
        dropped=tuple(before[key] for key in sorted(before.keys() - after.keys())),
        replaced=tuple(
            Replaced(before[key], after[key])
            for key in sorted(before.keys() & after.keys())
            if not _same(before[key], after[key])
        ),
        moved=(old.ring, new.ring) if old.ring != new.ring else None,
        controls_added=tuple(one.id for one in new.controls if one not in old.controls),
        controls_dropped=tuple(one.id for one in old.controls if one not in new.controls),
    )


def _same(one: Change, other: Change) -> bool:
    return (one.before, one.after, one.sha256) == (other.before, other.after, other.sha256)
