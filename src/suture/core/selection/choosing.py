"""Each available update by itself: which version would be taken, and what speaks against it.

Whether what it depends on can be met is decided afterwards, in
:mod:`suture.core.selection.closure`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase

from suture.core.documents import Document
from suture.core.inventory import AvailableVersion, Inventory, Origin, Update
from suture.core.planning.plan import HeldBack
from suture.core.selection.criteria import Criteria
from suture.core.selection.ledger import Reason, SelectionRules
from suture.core.versions import is_valid, key

# Who publishes a distribution's own archives, by the id of os-release.
DISTRIBUTION_ORIGINS: Mapping[str, tuple[str, ...]] = {
    "debian": ("Debian", "Debian Backports"),
    "ubuntu": ("Ubuntu", "UbuntuESM", "UbuntuESMApps"),
}

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Choice(Document, frozen=True):
    """An update and the version that would be taken, with the first reason why it is not.

    Without an obstacle ``reason`` is SELECTED, or one of SPARE for what only another may require.
    """

    update: Update
    version: AvailableVersion
    reason: Reason
    detail: str


class Chooser:
    """The rules against the updates of one host. ``published`` is (source, version) → day."""

    def __init__(
        self,
        inventory: Inventory,
        *,
        rules: SelectionRules,
        held_back: Sequence[HeldBack],
        published: Mapping[tuple[str, str], date],
        today: date,
        criteria: Criteria,
    ) -> None:
        self._rules = rules
        self._held_back = {(entry.source, entry.version): entry.reason for entry in held_back}
        self._published = published
        self._today = today
        self._criteria = criteria
        self._held = set(inventory.held)
        self._pinned = set(inventory.pinned)
        self._own = DISTRIBUTION_ORIGINS.get(inventory.os.id, ())

    def choose(self, update: Update) -> Choice:
        """The version: what the package manager would take where that brings security; else the
        newest from a security archive; else what the package manager would take."""
        trusted = [version for version in update.versions if self._is_trusted(version)]
        security = [version for version in trusted if self._is_security(version)]
        candidate = next((v for v in update.versions if v.version == update.candidate), None)
        if candidate in trusted and any(_order(v) <= _order(candidate) for v in security):
            return self._judge(update, candidate, is_security=True)
        if security:
            return self._judge(update, max(security, key=_order), is_security=True)
        return self._judge(update, candidate or update.versions[0], is_security=False)

    def obstacle(self, version: AvailableVersion) -> tuple[Reason, str] | None:
        """What speaks against a version, whatever is installed of it; None where nothing does."""
        held_back = self._held_back.get((version.source, version.source_version))
        if pattern := self._excluding(version):
            return Reason.EXCLUDED, f"the policy excludes {pattern}"
        if not self._is_trusted(version):
            return Reason.THIRD_PARTY, f"from {origin_of(version)}, which the policy does not trust"
        if unfit := self._criteria.unfit(version, self._own):
            return unfit
        if version.phased_percent < 100:
            return Reason.PHASED, f"rolled out to {version.phased_percent} % so far"
        if not (_SHA256.fullmatch(version.sha256) and version.size > 0 and version.filename):
            return Reason.UNVERIFIED, "the archive's index names no SHA-256, size and file"
        if held_back is not None:
            return Reason.HELD_BACK, held_back
        if untested := self._criteria.untested(version):
            return untested
        return None if self._criteria.is_exploited(version) else self._youth(version)

    def _judge(self, update: Update, version: AvailableVersion, *, is_security: bool) -> Choice:
        objection = self._stop(update, version) or self.obstacle(version)
        if objection is None and not is_security and self._rules.security_only:
            objection = Reason.NOT_SECURITY, f"from {origin_of(version)}"
        objection = objection or self._criteria.idle(version)
        if objection is None:
            said = [f"from {origin_of(version)}", *self._criteria.remarks(version)]
            if youth := self._youth(version):
                said.append(f"taken early, for it closes what is known to be exploited: {youth[1]}")
            objection = Reason.SELECTED, "; ".join(said)
        return Choice(update, version, *objection)

    def _stop(self, update: Update, version: AvailableVersion) -> tuple[Reason, str] | None:
        """What the host itself says against the update."""
        if update.key in self._held:
            return Reason.HELD, "held on the host"
        if update.candidate in (None, update.installed):
            return Reason.PINNED, f"the host's preferences keep {update.installed}"
        if update.key in self._pinned and version.version != update.candidate:
            return Reason.PINNED, f"the host's preferences want {update.candidate}"
        if update.deferred and version.version == update.candidate:
            return Reason.PHASED, "the host's package manager defers it"
        if not (is_valid(version.version) and is_valid(update.installed)):
            return Reason.BLOCKED, "its version cannot be compared with the installed one"
        if _order(version) <= key(update.installed):
            return Reason.BLOCKED, f"{version.version} is not newer than {update.installed}"
        if version.arch != update.arch:
            return Reason.BLOCKED, f"it would change from {update.arch} to {version.arch}"
        return None

    def _excluding(self, version: AvailableVersion) -> str | None:
        for pattern in self._rules.exclude:
            if fnmatchcase(version.name, pattern) or fnmatchcase(version.source, pattern):
                return pattern
        return None

    def _is_trusted(self, version: AvailableVersion) -> bool:
        """Some archive that has it is the distribution's, or trusted by the policy."""
        return any(
            origin.origin in self._own or matches_origin(origin, self._rules.trusted_origins)
            for origin in version.origins
        )

    def _is_security(self, version: AvailableVersion) -> bool:
        return version.is_security or any(
            matches_origin(origin, self._rules.security_origins) for origin in version.origins
        )

    def _youth(self, version: AvailableVersion) -> tuple[Reason, str] | None:
        """Whether it is younger than the policy wants, exploited or not."""
        wanted = self._rules.min_age_days
        if wanted <= 0:
            return None
        day = self._published.get((version.source, version.source_version))
        if day is None:
            return Reason.AGE_UNKNOWN, f"must be {wanted} days old, and nobody says when it is from"
        age = (self._today - day).days
        if age < wanted:
            return Reason.TOO_YOUNG, f"{max(age, 0)} days old, must be {wanted}"
        return None


def origin_of(version: AvailableVersion) -> str:
    """The archive to name: a security archive where one has it."""
    origins = sorted(version.origins, key=lambda origin: (not origin.is_security, str(origin)))
    return str(origins[0]) if origins else "an unknown archive"


def _order(version: AvailableVersion) -> bytes:
    """What is not a version is older than any."""
    return key(version.version) if is_valid(version.version) else b""


def matches_origin(origin: Origin, patterns: Sequence[str]) -> bool:
    """Whether an archive is one of those that the policy names by shell patterns."""
    return any(fnmatchcase(str(origin), pattern) for pattern in patterns)
