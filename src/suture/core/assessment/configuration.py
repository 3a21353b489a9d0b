"""What is wrong with a host that no patch closes: its release, its archives, its settings.

Each check answers for itself from the inventory. What the inventory does not tell is said as
unknown and never taken for well.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase

from suture.core.documents import Document
from suture.core.intelligence.advisories import Severity
from suture.core.intelligence.lifecycles import LIFECYCLES
from suture.core.inventory import Exposure, Host, Inventory

# What sshd offers only where someone turned it on, and why it is off.
_WEAK = {
    "ciphers": ("3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc", "arcfour*", "rijndael*"),
    "macs": ("hmac-md5*", "hmac-sha1-96*", "umac-32*"),
    "kexalgorithms": ("diffie-hellman-group1-sha1", "diffie-hellman-group-exchange-sha1"),
}
_WARN_BEFORE = timedelta(days=90)


class ConfigurationRules(Document, frozen=True):
    """How long a restart or reboot may be due, in seconds, and how old package lists may be."""

    max_pending_s: float
    max_indexes_age_s: float


class ConfigurationFinding(Document, frozen=True):
    """``check`` names the question, ``title`` the answer in one line; ``remedy`` what to do.
    ``unknown``: it could not be told, which is open until it can."""

    host: str
    check: str
    title: str
    severity: Severity
    remedy: str
    unknown: bool = False


def examine(
    host: Host,
    inventory: Inventory,
    rules: ConfigurationRules,
    *,
    unchanged_since: datetime,
    now: datetime,
) -> tuple[ConfigurationFinding, ...]:
    """All that is wrong with the configuration of ``host``, the gravest first.

    ``unchanged_since`` is when its packages were first seen as they are: what waits for a restart
    has waited at least since then.
    """
    found = [
        ConfigurationFinding(host.name, check, title, severity, remedy, unknown)
        for check, title, severity, remedy, unknown in (
            *_release(inventory, now.date()),
            *_archives(inventory, rules),
            *_updaters(inventory),
            *_pending(inventory, rules, unchanged_since, now),
            *_sshd(host, inventory),
        )
    ]
    gravity = list(Severity)
    return tuple(sorted(found, key=lambda one: (-gravity.index(one.severity), one.check)))


_Answer = tuple[str, str, Severity, str, bool]


def _release(inventory: Inventory, today: date) -> Iterator[_Answer]:
    name = inventory.os.title
    known = LIFECYCLES.get(inventory.os.release)
    upgrade = "Plan the upgrade to a supported release."
    if known is None:
        yield (
            "end-of-life",
            f"until when {name} gets security updates is not known",
            Severity.UNKNOWN,
            "Ask its publisher.",
            True,
        )
    elif today > known.free:
        offer = ""
        if known.paid is not None and today <= known.paid:
            offer = f" Subscribers of {known.offer} get them until {known.paid.isoformat()}."
        yield (
            "end-of-life",
            f"{name} gets no security updates any more since {known.free.isoformat()}.{offer}",
            Severity.HIGH if offer else Severity.CRITICAL,
            upgrade,
            False,
        )
    elif known.free - today < _WARN_BEFORE:
        days = (known.free - today).days
        title = f"{name} gets security updates for {days} more days, until {known.free.isoformat()}"
        yield "end-of-life", title, Severity.MEDIUM, upgrade, False


def _archives(inventory: Inventory, rules: ConfigurationRules) -> Iterator[_Answer]:
    is_apt = inventory.package_manager == "apt"
    if is_apt and not any(archive.is_security for archive in inventory.archives):
        yield (
            "no-security-archive",
            "no security archive is enabled: security updates cannot be seen",
            Severity.CRITICAL,
            "Add the distribution's security archive to the package manager's sources.",
            False,
        )
    if not is_apt and not inventory.archives:
        yield (
            "no-repository",
            "no repository is enabled: no update can come",
            Severity.CRITICAL,
            "Enable the distribution's repositories, or register the host.",
            False,
        )
    age = inventory.indexes_age_s
    if age is None or age > rules.max_indexes_age_s:
        said = "there are none" if age is None else f"they are {age / 86400:.0f} days old"
        yield (
            "old-package-lists",
            f"the package lists do not show new updates: {said}",
            Severity.HIGH,
            f"Refresh them: {'suture scan --refresh' if is_apt else 'dnf makecache'}",
            age is None,
        )
    if inventory.configuration is None:
        yield (
            "unauthenticated-archive",
            "whether archives are taken without a signature was not collected",
            Severity.UNKNOWN,
            "Scan the host again.",
            True,
        )
        return
    for where in inventory.configuration.unauthenticated:
        yield (
            "unauthenticated-archive",
            f"packages are taken without a valid signature: {where}",
            Severity.CRITICAL,
            "Remove that setting and give the archive's key with signed-by.",
            False,
        )


def _updaters(inventory: Inventory) -> Iterator[_Answer]:
    names = [one.name for one in inventory.updaters if one.active or one.enabled]
    if names:
        yield (
            "other-updater",
            f"{', '.join(names)} may change packages at any time beside Suture",
            Severity.LOW,
            "Turn it off, or let it refresh lists only.",
            False,
        )


def _pending(
    inventory: Inventory, rules: ConfigurationRules, since: datetime, now: datetime
) -> Iterator[_Answer]:
    waited = (now - since).total_seconds()
    if waited <= rules.max_pending_s:
        return
    days = f"for at least {waited / 86400:.0f} days"
    if inventory.reboot_required:
        why = f" ({', '.join(inventory.reboot_packages)})" if inventory.reboot_packages else ""
        title = f"a reboot has been due {days}{why}"
        yield "pending-reboot", title, Severity.HIGH, "Reboot it in its next window.", False
    units = sorted({one.unit or one.command for one in inventory.stale})
    if units:
        more = f" and {len(units) - 3} more" if len(units) > 3 else ""
        yield (
            "pending-restart",
            f"{', '.join(units[:3])}{more} still run what was replaced, {days}",
            Severity.MEDIUM,
            "Restart them.",
            False,
        )


def _sshd(host: Host, inventory: Inventory) -> Iterator[_Answer]:
    if inventory.configuration is None or not inventory.configuration.sshd:
        return
    settings = inventory.configuration.sshd
    exposed = host.exposure is Exposure.PUBLIC
    if settings.get("permitemptypasswords") == "yes":
        remedy = "Set PermitEmptyPasswords no."
        yield (
            "sshd-empty-passwords",
            "sshd lets empty passwords in",
            Severity.CRITICAL,
            remedy,
            False,
        )
    by_password = settings.get("passwordauthentication") == "yes"
    if by_password and settings.get("permitrootlogin") == "yes":
        yield (
            "sshd-root-password",
            "sshd lets root in by password",
            Severity.CRITICAL if exposed else Severity.HIGH,
            "Set PermitRootLogin prohibit-password.",
            False,
        )
    elif by_password and exposed:
        yield (
            "sshd-password",
            "sshd lets users in by password, and everybody can reach it",
            Severity.MEDIUM,
            "Set PasswordAuthentication no, once everybody has a key.",
            False,
        )
    for kind, patterns in _WEAK.items():
        weak = [
            name
            for name in settings.get(kind, "").split(",")
            if any(fnmatchcase(name, pattern) for pattern in patterns)
        ]
        if weak:
            title = f"sshd offers weak {kind}: {', '.join(weak[:5])}"
            remedy = f"Remove them from {kind} in sshd_config."
            yield f"sshd-weak-{kind}", title, Severity.MEDIUM, remedy, False
