"""Packages held against advisories: the findings of one host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from suture.core.advisories import FixState, Rule
from suture.core.advisory_index import AdvisoryIndex, lane, lanes, on_arch, subject, weight
from suture.core.counted import Group, groups, is_running
from suture.core.documents import Document
from suture.core.findings import Finding, FindingState
from suture.core.inventory import AvailableVersion, Host, Inventory, Package
from suture.core.versions import Scheme, is_valid, order, scheme_of

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


class _Seen(Document, frozen=True):
    """What judging needs of a host. ``offers`` are the newest versions on offer, by the name that
    rules give them; ``stale`` is package (key or name) → who still runs what it replaced."""

    release: str
    scheme: Scheme
    offers: Mapping[str, AvailableVersion]
    stale: Mapping[str, str]

    def version(self, package: Package | AvailableVersion) -> str:
        return subject(package, self.scheme)[1]

    def is_older(self, package: Package | AvailableVersion, fixed: str) -> bool:
        """What cannot be compared counts as older."""
        return order(self.version(package), self.scheme) < order(fixed, self.scheme)


class _Judgement(Document, frozen=True):
    rule: Rule
    state: FindingState
    packages: Sequence[Package]
    reason: str


def match(host: Host, inventory: Inventory, index: AdvisoryIndex) -> tuple[Finding, ...]:
    """The open vulnerabilities of ``host``, at most one for each (CVE, source), in that order.

    A package whose version cannot be compared counts as older than the fix.
    """
    scheme = scheme_of(inventory.os.release)
    seen = _Seen(inventory.os.release, scheme, _offers(inventory, scheme), _stale(inventory))
    findings = []
    for group in groups(inventory).values():
        by_cve: dict[str, list[_Judgement]] = {}
        for judgement in _judgements(group, index, seen):
            by_cve.setdefault(judgement.rule.cve, []).append(judgement)
        findings += [_finding(host, some, seen) for some in by_cve.values()]
    return tuple(sorted(findings, key=lambda finding: (finding.cve, finding.source)))


def unnamed_updates(
    inventory: Inventory, index: AdvisoryIndex, unreadable: Mapping[str, str]
) -> tuple[UnnamedUpdate, ...]:
    """Security updates of which nobody says what they fix, by source.

    ``unreadable`` is source → why its changelog could not be read.
    """
    scheme = scheme_of(inventory.os.release)
    by_order = partial(order, scheme=scheme)
    installed = {package.key: package.source_version for package in inventory.packages.packages}
    newest: dict[str, str] = {}
    oldest: dict[str, str] = {}
    for update in inventory.updates:
        for version in update.versions:
            if version.is_security:
                source, to = version.source, version.source_version
                since = installed.get(update.key, update.installed)
                newest[source] = max(newest.get(source, to), to, key=by_order)
                oldest[source] = min(oldest.get(source, since), since, key=by_order)
    unnamed = []
    for source, to in sorted(newest.items()):
        named = any(
            rule.fixed and by_order(oldest[source]) < by_order(rule.fixed) <= by_order(to)
            for rule in index.about(inventory.os.release, source).values()
        )
        if source in unreadable:
            unnamed.append(UnnamedUpdate(source, to, unreadable[source]))
        elif not named:
            unnamed.append(
                UnnamedUpdate(source, to, "no changelog that was read names a CVE for it")
            )
    return tuple(unnamed)


def _offers(inventory: Inventory, scheme: Scheme) -> dict[str, AvailableVersion]:
    offers: dict[str, AvailableVersion] = {}
    versions = [version for update in inventory.updates for version in update.versions]
    for version in (*versions, *inventory.installable):
        name, newer = subject(version, scheme)
        known = offers.get(name)
        if known is None or order(newer, scheme) > order(subject(known, scheme)[1], scheme):
            offers[name] = version
    return offers


def _stale(inventory: Inventory) -> dict[str, str]:
    stale: dict[str, set[str]] = {}
    for process in inventory.stale:
        stale.setdefault(process.package, set()).add(process.unit or process.command)
    users = {package: _listed(sorted(names)) for package, names in stale.items() if package}
    for package in inventory.packages.packages:
        if package.name in inventory.reboot_packages and is_running(package, inventory):
            users[package.key] = "the running kernel"
    return users


def _judgements(group: Group, index: AdvisoryIndex, seen: _Seen) -> Iterator[_Judgement]:
    """One for each rule that leaves some package of the group open."""
    by_name: dict[str, list[Package]] = {}
    for package in group.packages:
        by_name.setdefault(subject(package, seen.scheme)[0], []).append(package)
    for name, packages in by_name.items():
        for some in index.rules(seen.release, name).values():
            for rule in some:
                concerned = [one for one in packages if _concerns(rule, one, seen)]
                judged = _judge(rule, concerned, group.waiting, seen) if concerned else None
                if judged is not None:
                    yield judged


def _concerns(rule: Rule, package: Package, seen: _Seen) -> bool:
    version = seen.version(package)
    return (
        lane(rule) in lanes(package, seen.scheme)
        and on_arch(rule.archs, package.arch)
        and not (
            rule.introduced
            and is_valid(version, seen.scheme)
            and order(version, seen.scheme) < order(rule.introduced, seen.scheme)
        )
    )


def _judge(
    rule: Rule, packages: Sequence[Package], waiting: Iterable[Package], seen: _Seen
) -> _Judgement | None:
    """None where the vulnerability is not open."""
    if rule.state is FixState.NOT_AFFECTED:
        return None
    fixed = rule.fixed
    if fixed is None:
        said = _WITHOUT_FIX.get(rule.state, "names no fix")
        return _Judgement(rule, FindingState.NO_FIX, packages, f"{rule.publisher} {said}")
    older = [package for package in packages if seen.is_older(package, fixed)]
    if not older:
        return _needs_restart(rule, packages, fixed, seen)
    if any(not seen.is_older(package, fixed) for package in waiting):
        reason = f"{fixed} is installed, but an older kernel runs"
        return _Judgement(rule, FindingState.RESTART, older, reason)
    return _needs_update(rule, older, fixed, seen)


def _needs_update(rule: Rule, older: Sequence[Package], fixed: str, seen: _Seen) -> _Judgement:
    name, version = subject(older[0], seen.scheme)
    has = f"{name} {version} is older than {fixed}"
    if not is_valid(version, seen.scheme):
        has = f"{name}'s version cannot be compared with {fixed}"
    by = f"which fixes it ({rule.publisher})"
    offer = seen.offers.get(name)
    if offer is not None and not seen.is_older(offer, fixed):
        origin = str(offer.origins[0]) if offer.origins else "an enabled archive"
        offered = f"{origin} offers {seen.version(offer)}"
        return _Judgement(rule, FindingState.FIXABLE, older, f"{has}, {by}; {offered}")
    where = "no enabled archive offers that"
    if rule.channel:
        where = f"{rule.channel} has that, and no enabled archive"
    return _Judgement(rule, FindingState.FIXED_ELSEWHERE, older, f"{has}, {by}; {where}")


def _needs_restart(
    rule: Rule, packages: Sequence[Package], fixed: str, seen: _Seen
) -> _Judgement | None:
    old = [(p, seen.stale.get(p.key) or seen.stale.get(p.name)) for p in packages]
    used = [(package, by) for package, by in old if by]
    if not used:
        return None
    package, by = used[0]
    reason = f"{fixed} is installed, but {by} still runs what it replaced in {package.name}"
    return _Judgement(rule, FindingState.RESTART, [package for package, _ in used], reason)


def _finding(host: Host, judgements: Sequence[_Judgement], seen: _Seen) -> Finding:
    """Of several about one vulnerability in one source the heaviest speaks, one that is open on
    disk before one that is open in memory alone."""
    first = max(
        judgements, key=lambda one: (one.state is not FindingState.RESTART, weight(one.rule))
    )
    rule = first.rule
    packages = {package for one in judgements for package in one.packages}
    leader = min(first.packages, key=lambda package: (package.name != package.source, package.name))
    disputed = ("disputed: the vendor does not accept it as a vulnerability",)
    return Finding(
        cve=rule.cve,
        host=host.name,
        package=leader.name,
        packages=tuple(sorted({package.name for package in packages})),
        source=leader.source,
        installed=leader.version,
        fixed=rule.fixed,
        state=first.state,
        severity=rule.severity,
        advisory=rule.advisory,
        publisher=rule.publisher,
        release=seen.release,
        reasons=(
            first.reason,
            *((f"{rule.publisher}: {rule.note}",) if rule.note else ()),
            *(disputed if rule.disputed else ()),
        ),
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
