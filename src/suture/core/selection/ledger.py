"""Which available updates are taken, and the ledger that accounts for every one of them."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property

from msgspec.structs import replace

from suture.core.documents import Document, digest
from suture.core.intelligence.advisories import Severity
from suture.core.words import Tally


class SelectionRules(Document, frozen=True):
    """What an organisation takes. ``exclude`` are patterns of package or source names;
    ``trusted_origins`` and ``security_origins`` are patterns of an origin as it is shown
    (``Debian-Security:bookworm-security/main``), on top of the distribution's own. What is known to
    be exploited is taken at any age and severity. The last four are told of in
    :mod:`suture.core.selection.criteria`.
    """

    security_only: bool = True
    exclude: tuple[str, ...] = ()
    min_age_days: Tally = 0
    trusted_origins: tuple[str, ...] = ()
    security_origins: tuple[str, ...] = ()
    allow_new_packages: bool = False
    min_severity: Severity = Severity.LOW
    relevant_only: bool = False
    require_checks: bool = False
    allow_dkms_kernels: bool = True
    allow_other_releases: bool = False

    def __post_init__(self) -> None:
        if self.min_severity is Severity.UNKNOWN:
            raise ValueError("min_severity is low, medium, high or critical")


class Reason(StrEnum):
    """Why an available update is in or out. Each available update has exactly one."""

    SELECTED = "selected"
    REQUIRED = "required"  # not a security update itself, a selected one depends on it
    HELD = "held"
    PINNED = "pinned"
    PHASED = "phased"
    EXCLUDED = "excluded"
    HELD_BACK = "held-back"  # failed a rehearsal or hurt a host
    TOO_YOUNG = "too-young"
    AGE_UNKNOWN = "age-unknown"
    THIRD_PARTY = "third-party"
    INCOMPATIBLE = "incompatible"  # of another release or architecture
    OUT_OF_TREE = "out-of-tree"  # a kernel for which modules would have to be built
    UNTESTED = "untested"  # touches a service that no health check covers
    BELOW_SEVERITY = "below-severity"
    NOT_RELEVANT = "not-relevant"
    NOT_SECURITY = "not-security"
    REMOVES = "removes"  # would remove a package
    INSTALLS = "installs"  # would pull in a new package that the policy does not allow
    BLOCKED = "blocked"  # its dependencies cannot be met
    UNVERIFIED = "unverified"  # the index carries no SHA-256


# What is not wanted for its own sake and may come along where something selected needs it.
SPARE = (Reason.NOT_SECURITY, Reason.BELOW_SEVERITY, Reason.NOT_RELEVANT)


class LedgerEntry(Document, frozen=True, gc=False):
    """One available update (a binary package) and what became of it."""

    package: str
    arch: str
    installed: str
    available: str
    reason: Reason
    detail: str = ""


class Ledger(Document, frozen=True):
    """``available`` counts the updates that the host reported; the entries must add up to it."""

    available: int
    entries: tuple[LedgerEntry, ...]

    @property
    def reconciles(self) -> bool:
        keys = {(entry.package, entry.arch) for entry in self.entries}
        return len(self.entries) == self.available == len(keys)

    def counts(self) -> dict[Reason, int]:
        counted: dict[Reason, int] = {}
        for entry in self.entries:
            counted[entry.reason] = counted.get(entry.reason, 0) + 1
        return counted


class Action(StrEnum):
    UPGRADE = "upgrade"
    INSTALL = "install"  # newly pulled in


class Change(Document, frozen=True, gc=False):
    """One binary package of the patch set: these exact bytes and no others.

    ``before`` is the installed version, None where the package is new on the host.
    """

    package: str
    arch: str
    before: str | None
    after: str
    source: str
    source_version: str
    filename: str
    size: int
    sha256: str
    origin: str
    action: Action = Action.UPGRADE
    reason: Reason = Reason.SELECTED
    cves: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.package}:{self.arch}"


class Selection(Document, frozen=True, dict=True):
    """The patch set for one host, with the ledger. ``changes`` is the whole closure."""

    changes: tuple[Change, ...]
    ledger: Ledger

    @cached_property
    def patch_set(self) -> str:
        """The digest of the changes."""
        return digest(self.changes)

    def without_changes(self, why: str) -> Selection:
        """The same updates with none of them taken, because of ``why``."""
        entries = tuple(
            replace(entry, reason=Reason.EXCLUDED, detail=why)
            if entry.reason in (Reason.SELECTED, Reason.REQUIRED)
            else entry
            for entry in self.ledger.entries
        )
        return Selection((), Ledger(self.ledger.available, entries))
