"""Packages held against advisories: the findings of one host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from msgspec.structs import replace

from suture.core.assessment.counted import Group, groups, is_running
from suture.core.assessment.findings import Finding, FindingState
from suture.core.documents import Document
from suture.core.intelligence import channels
from suture.core.intelligence.advisories import FixState, Rule
from suture.core.intelligence.advisory_index import AdvisoryIndex, Name, weight
from suture.core.intelligence.subjects import Tiers, compared, names, tiers
from suture.core.inventory import AvailableVersion, Inventory, Package
from suture.core.versions import Scheme, is_valid, order, scheme_of

Called = tuple[bool, str]  # by its source, and the name

Known = dict[tuple[str, str, Group], tuple[Finding, ...]]
"""What is open in packages of a release and a stream, of which nothing is on offer or stale."""

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
    rules give them; ``stale`` is package (key or name) → who still runs what it replaced;
    ``stream`` is the minor release on which the host stays, empty for none."""

    release: str
    scheme: Scheme
    index: AdvisoryIndex
    offers: Mapping[Called, AvailableVersion]
    stale: Mapping[str, str]
    stream: str


class _Judgement(Document, frozen=True):
    rule: Rule
    state: FindingState
    packages: Sequence[Package]
    reason: str


def match(
    inventory: Inventory, index: AdvisoryIndex, known: Known | None = None
) -> tuple[Finding, ...]:
    """The open vulnerabilities of a host, at most one for each (CVE, source), in that order.

    A package whose version cannot be compared counts as older than the fix. With ``known``, which
    is for one index, packages that many hosts have are judged once.
    """
    scheme = scheme_of(inventory.os.release)
    offers, stale = _offers(inventory, scheme), _stale(inventory)
    stream = channels.stream(inventory.os, inventory.archives)
    seen = _Seen(inventory.os.release, scheme, index, offers, stale, stream)
    busy = _busy(inventory, {name for _, name in offers}.union(stale))
    findings: list[Finding] = []
    for source, group in groups(inventory).items():
        if known is None or source in busy:
            findings += _of_group(group, seen)
            continue
        key = seen.release, stream, group
        if key not in known:
            known[key] = _of_group(group, seen)
        findings += known[key]
    findings.sort(key=lambda finding: (finding.cve, finding.source))
    return tuple(replace(finding, host=inventory.host) for finding in findings)


def _busy(inventory: Inventory, marked: Set[str]) -> set[str]:
    """The sources of which something is on offer, or replaced and still running: few, on most
    hosts. ``marked`` are names of sources and packages, and packages' keys."""
    return {
        one.source
        for one in inventory.packages.packages
        if one.source in marked or one.name in marked or one.key in marked
    }


def _of_group(group: Group, seen: _Seen) -> tuple[Finding, ...]:
    """Of no host yet."""
    by_cve: dict[str, list[_Judgement]] = {}
    for judgement in _judgements(group, seen):
        by_cve.setdefault(judgement.rule.cve, []).append(judgement)
    return tuple(_finding(some, seen) for some in by_cve.values())


def names_of(inventories: Iterable[Inventory]) -> set[Name]:
    """All that rules may call what is installed on the hosts, and what is on offer to them: of
    other names an index need not know anything to judge them."""
    found: set[Name] = set()
    for inventory in inventories:
        release = inventory.os.release
        scheme = scheme_of(release)
        some: list[Package | AvailableVersion] = list(inventory.packages.packages)
        some += (version for update in inventory.updates for version in update.versions)
        found.update((release, name) for one in some for name in names(one, scheme))
    return found


def unnamed_updates(
    inventory: Inventory, index: AdvisoryIndex, unreadable: Mapping[str, str]
) -> tuple[UnnamedUpdate, ...]:
    """Security updates of which nobody says what they fix, by source.

    ``unreadable`` is source → why its changelog could not be read.
    """
    scheme = scheme_of(inventory.os.release)
    installed = {package.key: package for package in inventory.packages.packages}
    newest: dict[str, str] = {}
    named: set[str] = set()
    for update in inventory.updates:
        for version in update.versions:
            if version.is_security:
                source, to = version.source, version.source_version
                newest[source] = max(newest.get(source, to), to, key=lambda v: order(v, scheme))
                since = installed.get(update.key)
                if _names_a_fix(inventory.os.release, index, since, update.installed, version):
                    named.add(source)
    unnamed = []
    for source, to in sorted(newest.items()):
        if source in unreadable:
            unnamed.append(UnnamedUpdate(source, to, unreadable[source]))
        elif source not in named:
            unnamed.append(
                UnnamedUpdate(source, to, "no changelog that was read names a CVE for it")
            )
    return tuple(unnamed)


def _names_a_fix(
    release: str,
    index: AdvisoryIndex,
    package: Package | None,
    installed: str,
    version: AvailableVersion,
) -> bool:
    """Whether some rule's fix is newer than what is installed, and in ``version``."""
    scheme = scheme_of(release)
    for by_source in _ways(scheme):
        name, to = compared(version, scheme, by_source=by_source)
        since = compared(package, scheme, by_source=by_source)[1] if package else installed
        after, until = order(since, scheme), order(to, scheme)
        for _, lane, by_cve in index.lanes([(release, name)]):
            if lane.by_source == by_source and any(
                rule.fixed and after < order(rule.fixed, scheme) <= until
                for some in by_cve.values()
                for rule in some
            ):
                return True
    return False


def _ways(scheme: Scheme) -> tuple[bool, ...]:
    """Rules about rpm packages may name the source as well."""
    return (False, True) if scheme is Scheme.RPM else (False,)


def _offers(inventory: Inventory, scheme: Scheme) -> dict[Called, AvailableVersion]:
    offers: dict[Called, AvailableVersion] = {}
    newest: dict[Called, bytes] = {}
    versions = [version for update in inventory.updates for version in update.versions]
    for version in (*versions, *inventory.installable):
        for by_source in _ways(scheme):
            name, offered = compared(version, scheme, by_source=by_source)
            called, at = (by_source, name), order(offered, scheme)
            if called not in newest or at > newest[called]:
                offers[called], newest[called] = version, at
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


def _judgements(group: Group, seen: _Seen) -> Iterator[_Judgement]:
    """One for each rule that leaves some package of the group open."""
    alike: dict[tuple[Tiers, str], list[Package]] = {}
    for package in group.packages:
        alike.setdefault((tiers(package, seen.scheme, seen.stream), package.arch), []).append(
            package
        )
    concerned: dict[int, tuple[Rule, list[Package]]] = {}
    for packages in alike.values():
        for rule in seen.index.about(seen.release, packages[0], stream=seen.stream):
            concerned.setdefault(id(rule), (rule, []))[1].extend(packages)
    for rule, packages in concerned.values():
        judged = _judge(rule, packages, group.waiting, seen)
        if judged is not None:
            yield judged


def _judge(
    rule: Rule, packages: Sequence[Package], waiting: Sequence[Package], seen: _Seen
) -> _Judgement | None:
    """None where the vulnerability is not open."""
    if rule.state is FixState.NOT_AFFECTED:
        return None
    fixed = rule.fixed
    if fixed is None:
        said = _WITHOUT_FIX.get(rule.state, "names no fix")
        return _Judgement(rule, FindingState.NO_FIX, packages, f"{rule.publisher} {said}")
    older = _older(rule, packages, seen.scheme)
    if not older:
        return _needs_restart(rule, packages, fixed, seen)
    if waiting and len(_older(rule, waiting, seen.scheme)) < len(waiting):
        reason = f"{fixed} is installed, but an older kernel runs"
        return _Judgement(rule, FindingState.RESTART, older, reason)
    return _needs_update(rule, older, fixed, seen)


def _older(rule: Rule, packages: Iterable[Package], scheme: Scheme) -> list[Package]:
    """Those that are older than the fix, and those that cannot be compared with it."""
    fixed, by_source = order(rule.fixed or "", scheme), rule.by_source
    return [
        package
        for package in packages
        if order(compared(package, scheme, by_source=by_source)[1], scheme) < fixed
    ]


def _needs_update(rule: Rule, older: Sequence[Package], fixed: str, seen: _Seen) -> _Judgement:
    scheme, by_source = seen.scheme, rule.by_source
    name, version = compared(older[0], scheme, by_source=by_source)
    has = f"{name} {version} is older than {fixed}"
    if not is_valid(version, scheme):
        has = f"{name}'s version cannot be compared with {fixed}"
    by = f"which fixes it ({rule.publisher})"
    offer = seen.offers.get((by_source and scheme is Scheme.RPM, name))
    offers = compared(offer, scheme, by_source=by_source)[1] if offer else ""
    if offer is not None and order(offers, scheme) >= order(fixed, scheme):
        origin = str(offer.origins[0]) if offer.origins else "an enabled archive"
        return _Judgement(
            rule, FindingState.FIXABLE, older, f"{has}, {by}; {origin} offers {offers}"
        )
    where = "no enabled archive offers that"
    if seen.stream and channels.minor(rule.channel) == seen.stream:
        where = f"{rule.channel}, whose minor release this host stays on, has that"
    elif rule.channel:
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


def _finding(judgements: Sequence[_Judgement], seen: _Seen) -> Finding:
    """Of several about one vulnerability in one source the heaviest speaks, one that is open on
    disk before one that is open in memory alone."""
    first = max(
        judgements, key=lambda one: (one.state is not FindingState.RESTART, weight(one.rule))
    )
    rule = first.rule
    packages = {package for one in judgements for package in one.packages}
    leader = min(first.packages, key=lambda package: (package.name != package.source, package.name))
    others = seen.index.others(rule, leader, stream=seen.stream)
    disputed = ("disputed: the vendor does not accept it as a vulnerability",)
    return Finding(
        cve=rule.cve,
        host="",
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
        published=rule.published,
        reasons=(
            first.reason,
            *((f"{rule.publisher}: {rule.note}",) if rule.note else ()),
            *(disputed if rule.disputed else ()),
            *_of_other_stream(rule, seen.stream),
            *dict.fromkeys(map(otherwise, others)),
        ),
    )


def _of_other_stream(rule: Rule, stream: str) -> tuple[str, ...]:
    """That the release's own word counted on a host which stays on a minor release."""
    if not stream or channels.minor(rule.channel) == stream:
        return ()
    return (
        f"this host stays on {stream}, of whose streams nothing is said: judged by the main "
        "stream, whose versions may differ",
    )


def otherwise(rule: Rule) -> str:
    """What a rule says that does not count, for another does."""
    state = rule.state.value.replace("-", " ")
    said = f"fixed in {rule.fixed}" if rule.fixed else state
    where = f" ({rule.channel})" if rule.channel else ""
    return f"{rule.publisher}{where} says otherwise in {rule.advisory}: {said}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
