"""Packages held against advisories: the findings of one host.

By source package and source version, as Debian and Ubuntu publish. Packages from third parties
are not judged by the distribution's advisories; the inventory lists them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from suture.core import changelogs
from suture.core.advisories import Advisory, FixState, Rule, rules
from suture.core.documents import Document
from suture.core.findings import Finding, FindingState
from suture.core.inventory import AvailableVersion, Host, Inventory, Package, PackageState
from suture.core.versions import compare, is_valid, key

_KERNEL_SOURCE = re.compile(r"linux(-(signed|meta|latest|aws|azure|gcp|hwe|kvm|oracle|raspi).*)?")
_KERNEL_IMAGE = re.compile(r"linux-(?:image|image-unsigned|modules|modules-extra)-(\d.*)")

# Where publishers contradict themselves about one vulnerability, the earlier one is believed.
_STATES = (
    FixState.FIXED,
    FixState.WILL_NOT_FIX,
    FixState.END_OF_LIFE,
    FixState.AFFECTED,
    FixState.UNDER_INVESTIGATION,
    FixState.NOT_AFFECTED,
)

_WITHOUT_FIX = {
    FixState.AFFECTED: "says that it is affected and names no fix yet",
    FixState.WILL_NOT_FIX: "says that it is affected and will not be fixed",
    FixState.END_OF_LIFE: "no longer looks at this release",
    FixState.UNDER_INVESTIGATION: "is still looking into it",
}


class UnnamedUpdate(Document, frozen=True):
    """A security update of which no changelog says what it fixes, or none could be read.

    ``to`` is the newest source version on offer from a security archive.
    """

    source: str
    to: str
    reason: str


class AdvisoryIndex:
    """The one rule that counts for each (release, package, CVE).

    A publisher's own word goes before what was read out of changelogs; then the highest fixed
    version counts, for an earlier fix that needed another one was none.
    """

    def __init__(self, advisories: Iterable[Advisory]) -> None:
        self._rules: dict[tuple[str, str], dict[str, Rule]] = {}
        for advisory in advisories:
            for rule in map(_readable, rules(advisory)):
                by_cve = self._rules.setdefault((rule.release, rule.package), {})
                known = by_cve.get(rule.cve)
                if known is None or _weight(rule) > _weight(known):
                    by_cve[rule.cve] = rule

    def about(self, release: str, package: str) -> Mapping[str, Rule]:
        """CVE → the rule about it in ``package`` of ``release``."""
        return self._rules.get((release, package), {})


def match(host: Host, inventory: Inventory, index: AdvisoryIndex) -> tuple[Finding, ...]:
    """The open vulnerabilities of ``host``, at most one for each (CVE, source), in that order.

    A package whose version cannot be compared counts as older than the fix.
    """
    offers = _offers(inventory)
    stale = _stale(inventory)
    findings = []
    for source, group in _groups(inventory).items():
        for rule in index.about(inventory.os.release, source).values():
            judged = _judge(group, rule, offers.get(source), stale)
            if judged is not None:
                state, affected, reason = judged
                findings.append(_finding(host, rule, state, affected, reason))
    return tuple(sorted(findings, key=lambda finding: (finding.cve, finding.source)))


def unnamed_updates(
    inventory: Inventory, index: AdvisoryIndex, unreadable: Mapping[str, str]
) -> tuple[UnnamedUpdate, ...]:
    """Security updates of which nobody says what they fix, by source.

    ``unreadable`` is source → why its changelog could not be read.
    """
    installed = {package.key: package.source_version for package in inventory.packages.packages}
    newest: dict[str, str] = {}
    oldest: dict[str, str] = {}
    for update in inventory.updates:
        for version in update.versions:
            if version.is_security:
                source, to = version.source, version.source_version
                since = installed.get(update.key, update.installed)
                newest[source] = max(newest.get(source, to), to, key=_order)
                oldest[source] = min(oldest.get(source, since), since, key=_order)
    unnamed = []
    for source, to in sorted(newest.items()):
        named = any(
            rule.fixed and _order(oldest[source]) < _order(rule.fixed) <= _order(to)
            for rule in index.about(inventory.os.release, source).values()
        )
        if source in unreadable:
            unnamed.append(UnnamedUpdate(source, to, unreadable[source]))
        elif not named:
            unnamed.append(
                UnnamedUpdate(source, to, "no changelog that was read names a CVE for it")
            )
    return tuple(unnamed)


def _readable(rule: Rule) -> Rule:
    """A fix in a version that cannot be compared is a fix that cannot be proved."""
    if rule.state is not FixState.FIXED or is_valid(rule.fixed or ""):
        return rule
    return replace(rule, state=FixState.UNDER_INVESTIGATION, fixed=None)


def _weight(rule: Rule) -> tuple[bool, int, bytes, str]:
    return (
        rule.publisher != changelogs.PUBLISHER,
        -_STATES.index(rule.state),
        key(rule.fixed) if rule.fixed else b"",
        rule.advisory,
    )


class _Group(Document, frozen=True):
    """The packages of one source that count. ``waiting`` are the other installed kernels, of which
    one runs after a reboot."""

    packages: tuple[Package, ...]
    waiting: tuple[Package, ...] = ()


def _groups(inventory: Inventory) -> dict[str, _Group]:
    """By source: what is on disk and the distribution's own, and of kernels the running one.

    An old kernel is in no archive any more, and is the distribution's all the same.
    """
    third_party = set(inventory.third_party)
    by_source: dict[str, list[Package]] = {}
    for package in inventory.packages.packages:
        is_kernel = _KERNEL_SOURCE.fullmatch(package.source)
        if package.state is not PackageState.RESIDUAL and (
            is_kernel or package.key not in third_party
        ):
            by_source.setdefault(package.source, []).append(package)
    groups = {}
    for source, packages in by_source.items():
        if not _KERNEL_SOURCE.fullmatch(source):
            groups[source] = _Group(tuple(packages))
        elif not inventory.kernel.container:
            images = [package for package in packages if _KERNEL_IMAGE.match(package.name)]
            running = tuple(p for p in images if _is_kernel(p, inventory.kernel.running))
            if running:
                waiting = tuple(package for package in images if package not in running)
                groups[source] = _Group(running, waiting)
    return groups


def _is_kernel(package: Package, running: str) -> bool:
    image = _KERNEL_IMAGE.match(package.name)
    return image is not None and image[1].removesuffix("-unsigned") == running


def _offers(inventory: Inventory) -> dict[str, AvailableVersion]:
    """The newest version on offer, by source."""
    offers: dict[str, AvailableVersion] = {}
    versions = [version for update in inventory.updates for version in update.versions]
    for version in (*versions, *inventory.installable):
        known = offers.get(version.source)
        if known is None or _order(version.source_version) > _order(known.source_version):
            offers[version.source] = version
    return offers


def _stale(inventory: Inventory) -> dict[str, str]:
    """Package (key or name) → who still runs what it replaced."""
    stale: dict[str, set[str]] = {}
    for process in inventory.stale:
        stale.setdefault(process.package, set()).add(process.unit or process.command)
    users = {package: _listed(sorted(names)) for package, names in stale.items() if package}
    kernels = [p for p in inventory.packages.packages if _is_kernel(p, inventory.kernel.running)]
    for package in kernels:
        if package.name in inventory.reboot_packages:
            users[package.key] = "the running kernel"
    return users


Judgement = tuple[FindingState, Sequence[Package], str]


def _judge(
    group: _Group,
    rule: Rule,
    offer: AvailableVersion | None,
    stale: Mapping[str, str],
) -> Judgement | None:
    """The state, the packages concerned and why; None where the vulnerability is not open."""
    if rule.state is FixState.NOT_AFFECTED:
        return None
    fixed = rule.fixed
    if fixed is None:
        said = _WITHOUT_FIX.get(rule.state, "names no fix")
        return FindingState.NO_FIX, group.packages, f"{rule.publisher} {said}"
    older = [package for package in group.packages if _is_older(package.source_version, fixed)]
    if not older:
        return _needs_restart(group.packages, fixed, stale)
    if any(not _is_older(package.source_version, fixed) for package in group.waiting):
        return FindingState.RESTART, older, f"{fixed} is installed, but an older kernel runs"
    return _needs_update(older, rule.publisher, fixed, offer)


def _needs_update(
    older: Sequence[Package], publisher: str, fixed: str, offer: AvailableVersion | None
) -> Judgement:
    has = f"{older[0].source} {older[0].source_version} is older than {fixed}"
    if not is_valid(older[0].source_version):
        has = f"{older[0].source}'s version cannot be compared with {fixed}"
    by = f"which fixes it ({publisher})"
    if offer is not None and not _is_older(offer.source_version, fixed):
        origin = str(offer.origins[0]) if offer.origins else "an enabled archive"
        offered = f"{origin} offers {offer.source_version}"
        return FindingState.FIXABLE, older, f"{has}, {by}; {offered}"
    return FindingState.FIXED_ELSEWHERE, older, f"{has}, {by}; no enabled archive offers that"


def _needs_restart(
    packages: Sequence[Package], fixed: str, stale: Mapping[str, str]
) -> Judgement | None:
    old = [(p, stale.get(p.key) or stale.get(p.name)) for p in packages]
    used = [(package, by) for package, by in old if by]
    if not used:
        return None
    package, by = used[0]
    reason = f"{fixed} is installed, but {by} still runs what it replaced in {package.name}"
    return FindingState.RESTART, [package for package, _ in used], reason


def _finding(
    host: Host,
    rule: Rule,
    state: FindingState,
    affected: Sequence[Package],
    reason: str,
) -> Finding:
    names = tuple(sorted({package.name for package in affected}))
    first = min(affected, key=lambda package: (package.name != package.source, package.name))
    return Finding(
        cve=rule.cve,
        host=host.name,
        package=first.name,
        packages=names,
        source=first.source,
        installed=first.version,
        fixed=rule.fixed,
        state=state,
        severity=rule.severity,
        advisory=rule.advisory,
        publisher=rule.publisher,
        reasons=(reason,),
    )


def _is_older(version: str, fixed: str) -> bool:
    return not is_valid(version) or compare(version, fixed) < 0


def _order(version: str) -> bytes:
    """What is not a version is older than any."""
    return key(version) if is_valid(version) else b""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
