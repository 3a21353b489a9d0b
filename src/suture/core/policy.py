"""The policy document: what an organisation wants, as one YAML file that people review.

Every field has a default that is safe on a fleet nobody has described yet, so an empty file is a
policy. Durations and shares stay in the words of the file (``10m``, ``25%``).
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import UNSET, Meta, field

from suture.core.documents import Document
from suture.core.host_patterns import matches as matches
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.hooks import HookPolicy, undrained
from suture.core.planning.plan import OnFailure as OnFailure
from suture.core.planning.plan import RebootRule
from suture.core.planning.windows import Freeze, Window
from suture.core.policies.approvals import ApprovalPolicy
from suture.core.policies.backup import BackupPolicy
from suture.core.policies.gates import GatePolicy
from suture.core.policies.rehearsing import DrillPolicy, RehearsalPolicy
from suture.core.policies.suites import SuitePolicy
from suture.core.policy_example import EXAMPLE as EXAMPLE
from suture.core.priority.deadlines import TimeLimits
from suture.core.priority.urgency import RankingWeights
from suture.core.selection.ledger import SelectionRules
from suture.core.words import (
    AbsolutePath,
    Count,
    Duration,
    FileMode,
    FileOwner,
    HttpStatus,
    Name,
    Pattern,
    Percent,
    Sha256,
    Share,
    Span,
    Tally,
    Text,
    seconds,
)
from suture.core.yaml_reading import DocumentError, read_yaml

PolicyError = DocumentError

LoadSeconds = Annotated[int, Meta(ge=10, le=600, description="seconds, 10 to 600")]

_MOST_AHEAD_S = 7 * 86_400

_URL = re.compile(r"https?://\S")

# Without these a twin has no packages to patch.
_TWIN_NEEDS = ("/", "/etc", "/etc/apt", "/usr", "/var", "/var/lib", "/var/lib/apt", "/var/lib/dpkg")


class RingPolicy(Document, frozen=True, kw_only=True):
    """One ring. It takes ``hosts`` by pattern, a ``share`` of the fleet, or, with neither, the
    rest. ``soak`` is the time to watch it before the next ring; ``approval`` asks a person before
    this ring starts; more than ``max_failures`` failures pause the rollout, and ``on_failure``,
    the policy's own where it is not said, tells what is taken back. ``min_verified`` is the share
    of the ring that has to be patched and verified before the next one. Hosts start
    ``wait_between`` apart, and have ``reboot_budget``, the policy's own where it is not said, to
    come back from a reboot.
    """

    name: Name
    hosts: tuple[Pattern, ...] = ()
    share: Share | None = None
    parallel: Count = 10
    soak: Duration = "0s"
    max_failures: Tally = 0
    approval: bool = False
    on_failure: OnFailure | None = None
    min_verified: Percent | None = None
    wait_between: Duration = "0s"
    reboot_budget: Span | None = None

    def __post_init__(self) -> None:
        if self.hosts and self.share is not None:
            raise ValueError(f"ring `{self.name}` has both hosts and share; keep one of them")

    @property
    def takes_rest(self) -> bool:
        return not self.hosts and self.share is None


class CheckPolicy(Document, frozen=True, kw_only=True):
    """A health check as a person writes it; ``status`` applies to HTTP, ``body`` to HTTP and files,
    ``mode``, ``owner`` and ``sha256`` to files alone.
    """

    kind: HealthCheckKind
    target: Text
    status: HttpStatus = 200
    body: Annotated[str, Meta(max_length=4096, description="text")] = ""
    timeout: Span = "10s"
    mode: FileMode | None = None
    owner: FileOwner | None = None
    sha256: Sha256 | None = None

    def __post_init__(self) -> None:
        is_file = self.kind is HealthCheckKind.FILE
        if not is_file and (self.mode or self.owner or self.sha256):
            raise ValueError(f"mode, owner and sha256 are for files, not for {self.kind.value}")
        if is_file and not self.target.startswith("/"):
            raise ValueError(f"`{self.target}` is not a path that begins with /")
        if self.kind is HealthCheckKind.PORT and not _is_socket(self.target):
            raise ValueError(f"`{self.target}` is not address:port, such as 0.0.0.0:443")
        if self.kind is HealthCheckKind.HTTP and not _URL.match(self.target):
            raise ValueError(f"`{self.target}` is not a URL that begins with http:// or https://")

    @property
    def check(self) -> HealthCheck:
        return HealthCheck(
            kind=self.kind,
            target=self.target,
            status=self.status,
            body=self.body,
            timeout_s=seconds(self.timeout),
            mode=self.mode or UNSET,
            owner=self.owner or UNSET,
            sha256=self.sha256 or UNSET,
        )


def _is_socket(target: str) -> bool:
    """Whether it is an IP address, or none for any, and a port."""
    address, _, port = target.rpartition(":")
    address = address.strip("[]").partition("%")[0]
    try:
        known = address in ("", "*") or bool(ipaddress.ip_address(address).version)
    except ValueError:
        return False
    return known and port.isascii() and port.isdigit() and 0 < int(port) < 65536


class HostCheckPolicy(CheckPolicy, frozen=True, kw_only=True):
    """A health check for the hosts that ``on`` matches: a host, label or service pattern."""

    on: Pattern


class ServicePolicy(Document, frozen=True, kw_only=True):
    """Hosts that do one job together: how many may be out at once, and what proves it well. At
    least ``quorum`` stay in, whatever ``max_out`` says, and of hosts with different labels of
    ``anti_affinity`` those of one label are out at a time."""

    max_out: Share = 1
    quorum: Share | None = None
    anti_affinity: tuple[Name, ...] = ()
    checks: tuple[CheckPolicy, ...] = ()


class Concurrency(Document, frozen=True, kw_only=True):
    """Hosts at work at once, in all rollouts and workers: in all, and behind one jump host; and
    how many of them are started within a minute, None for as many as there is room for."""

    total: Count = 50
    per_jump: Count = 10
    starts_per_minute: Count | None = None


class TwinPolicy(Document, frozen=True, kw_only=True):
    """``exclude`` are absolute paths or shell patterns whose content is never cloned: data,
    secrets, and what only costs time. What the package manager keeps has to stay.
    """

    exclude: tuple[AbsolutePath, ...] = (
        "/var/lib/mysql",
        "/var/lib/postgresql",
        "/var/lib/mongodb",
        "/var/lib/redis",
        "/var/lib/elasticsearch",
        "/var/lib/ldap",
        "/var/lib/docker",
        "/var/lib/containerd",
        "/var/lib/libvirt/images",
        "/var/lib/suture",
        "/var/backups",
        "/var/cache/apt/archives",
        "/var/log",
        "/var/mail",
        "/var/spool",
        "/var/tmp",  # noqa: S108
        "/tmp",  # noqa: S108
        "/home",
        "/srv",
        "/root/.ssh",
        "/root/.gnupg",
        "/root/.*_history",
        "/etc/apt/auth.conf",
        "/etc/apt/auth.conf.d",
        "/etc/krb5.keytab",
        "/etc/letsencrypt",
        "/etc/ssh/ssh_host_*",
        "/etc/ssl/private",
    )

    def __post_init__(self) -> None:
        for pattern in self.exclude:
            for path in _TWIN_NEEDS:
                if fnmatchcase(path, pattern.rstrip("/") or "/"):
                    raise ValueError(f"`{pattern}` takes {path} from the twin; it needs it")


class PreflightPolicy(Document, frozen=True, kw_only=True):
    """What must hold before a host is planned or touched. ``min_free_mb`` is by mount point, in
    MiB on top of what the patches need; ``max_indexes_age`` bounds the age of the host's package
    lists, ``max_inventory_age`` that of what is known about the host.
    """

    min_free_mb: Mapping[AbsolutePath, Tally] = field(
        default_factory=lambda: {"/": 200, "/boot": 50, "/var": 200}
    )
    max_clock_skew_s: Tally = 300
    lock_wait_s: Tally = 300
    pause_updaters: bool = True
    max_inventory_age: Duration = "24h"
    max_indexes_age: Duration = "7d"


class ConfigurationPolicy(Document, frozen=True, kw_only=True):
    """From when on a restart or reboot that is due is a finding of its own."""

    max_pending: Duration = "14d"


class PerformancePolicy(Document, frozen=True, kw_only=True):
    """Load in the rehearsal: ``load`` is a URL, a shell command of fixed work, ``checks`` for the
    host's own first HTTP or command check, or ``none``. ``seconds`` is one stretch of it;
    ``min_effect`` the change for the worse from which on a patch fails.
    """

    load: Text = "none"
    min_effect: Percent = "10%"
    seconds: LoadSeconds = 30

    @property
    def least_share(self) -> float:
        return int(self.min_effect.removesuffix("%")) / 100


class EmergencyPolicy(Document, frozen=True, kw_only=True):
    """The lane of hosts on which the plan closes what is known to be exploited. Where it is
    ``enabled`` they go in waves of their own before all others, at any time or, with ``windows``,
    in these as well as their usual ones; through freezes only with ``through_freezes``.
    """

    enabled: bool = False
    windows: tuple[Window, ...] = ()
    through_freezes: bool = False

    def __post_init__(self) -> None:
        if not self.enabled and (self.windows or self.through_freezes):
            raise ValueError("the emergency lane has rules and is not enabled; enable it")
        if any(window.hosts for window in self.windows):
            raise ValueError("windows of the emergency lane are for all of its hosts; drop hosts")


class CatchUpPolicy(Document, frozen=True, kw_only=True):
    """How often a host that does not answer is tried while the rollout runs, and how far apart."""

    tries: Count = 3
    every: Span = "15m"


class Policy(Document, frozen=True, kw_only=True):
    """The whole policy; field by field explained in the text of ``EXAMPLE``."""

    select: SelectionRules = SelectionRules()
    rings: tuple[RingPolicy, ...] = (
        RingPolicy(name="canary", share="5%", parallel=5, soak="10m"),
        RingPolicy(name="early", share="25%", parallel=20, soak="30m"),
        RingPolicy(name="broad", parallel=50),
    )
    services: Mapping[Name, ServicePolicy] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    emergency: EmergencyPolicy = EmergencyPolicy()
    approvals: ApprovalPolicy = ApprovalPolicy()
    checks: tuple[HostCheckPolicy, ...] = ()
    suites: tuple[SuitePolicy, ...] = ()
    hooks: tuple[HookPolicy, ...] = ()
    propose_checks: bool = True
    reboot: RebootRule = RebootRule.IF_NEEDED
    reboot_budget: Span = "10m"
    gates: GatePolicy = GatePolicy()
    on_failure: OnFailure = OnFailure.ROLL_BACK_HOST
    max_held_back: Tally = 1
    catch_up: CatchUpPolicy = CatchUpPolicy()
    concurrency: Concurrency = Concurrency()
    predownload: Duration | None = None
    preflight: PreflightPolicy = PreflightPolicy()
    configuration: ConfigurationPolicy = ConfigurationPolicy()
    backup: BackupPolicy = BackupPolicy()
    twin: TwinPolicy = TwinPolicy()
    rehearsal: RehearsalPolicy = RehearsalPolicy()
    drill: DrillPolicy = DrillPolicy()
    performance: PerformancePolicy = PerformancePolicy()
    weights: RankingWeights = RankingWeights()
    limits: TimeLimits = TimeLimits()

    def __post_init__(self) -> None:
        if not self.rings:
            raise ValueError("rings: there is no ring; add one, or leave `rings` out")
        _no_name_twice("rings", self.rings)
        rest = [ring.name for ring in self.rings if ring.takes_rest]
        if len(rest) > 1:
            both = f"`{rest[0]}` and `{rest[1]}`"
            raise ValueError(f"rings: {both} would both take the rest; give one hosts or a share")
        for unknown in sorted(self.approvals.rings.keys() - {ring.name for ring in self.rings}):
            raise ValueError(f"approvals: there is no ring `{unknown}`; correct the name")
        _no_name_twice("windows", (*self.windows, *self.emergency.windows))
        _no_name_twice("freezes", self.freezes)
        _no_name_twice("suites", self.suites)
        if self.predownload and not 60 <= seconds(self.predownload) <= _MOST_AHEAD_S:
            raise ValueError("predownload has to be from 1m to 7d; leave it out to switch it off")
        if half := undrained(self.hooks):
            raise ValueError(f"hooks: `{half}` has one of drain and undrain; add the other")

    def service(self, name: str) -> ServicePolicy:
        """The service's own rules, or the default ones."""
        return self.services.get(name) or ServicePolicy()


def _no_name_twice(key: str, named: Sequence[RingPolicy | Window | Freeze | SuitePolicy]) -> None:
    for name, times in Counter(one.name for one in named).items():
        if times > 1:
            raise ValueError(f"{key}: two {key} are called `{name}`; rename one")


def parse(text: str, *, name: str) -> Policy:
    """Read a policy; ``name`` is the file's name, for messages.

    Raises :class:`PolicyError`, whose message names file, line, key and what is expected.
    """
    return read_yaml(text, Policy, name=name)
