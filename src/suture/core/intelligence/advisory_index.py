"""Of all that is said about packages the rules that count, and which packages they are about.

One truth for a single host (:mod:`suture.core.assessment.matching`) and for a fleet
(:mod:`suture.core.assessment.fleet_matching`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Set

from msgspec.structs import replace

from suture.core.intelligence import changelogs, channels
from suture.core.intelligence.advisories import Advisory, FixState, Rule, rules
from suture.core.intelligence.subjects import BASE, Lane, concerns, lane, tiers
from suture.core.inventory import Package
from suture.core.versions import Scheme, is_valid, order, scheme_of

# Where publishers contradict themselves about one vulnerability, the earlier one is believed.
STATES = (
    FixState.FIXED,
    FixState.WILL_NOT_FIX,
    FixState.END_OF_LIFE,
    FixState.AFFECTED,
    FixState.UNDER_INVESTIGATION,
    FixState.NOT_AFFECTED,
)

_DECIDED = (FixState.FIXED, FixState.NOT_AFFECTED)

Name = tuple[str, str]  # release, and the package's name as rules write it
Rules = Mapping[str, tuple[Rule, ...]]  # by CVE, those that weigh most first
_Slot = tuple[str, tuple[str, ...]]
_About = tuple[Lane, str, _Slot]


class AdvisoryIndex:
    """The rules that count for each (release, package, lane, CVE).

    A publisher's own word goes before what was read out of changelogs. For one lane, one range of
    versions and one set of architectures the highest fixed version counts, for an earlier fix that
    needed another one was none. That holds for a publisher that names a fix for each minor release
    as well (Red Hat: 9.3 and 9.4): hosts of the older one are called open until they have the
    newer fix, which asks for too much, where the earlier would pass what is still open. Hosts that
    stay on a minor release are asked about apart, where its stream has a fix.

    What a channel that extends the release has fixed counts where the release's own archive leaves
    it open or says nothing; see :mod:`suture.core.intelligence.channels`.
    """

    def __init__(self, advisories: Iterable[Advisory]) -> None:
        self._rules: dict[Name, dict[Lane, dict[str, tuple[Rule, ...]]]] = {}
        self._beaten: dict[Name, dict[_About, Rule]] = {}
        self._take(map(_readable, (rule for one in advisories for rule in rules(one))))

    def renewed(self, names: Collection[Name], advisories: Iterable[Advisory]) -> AdvisoryIndex:
        """With what ``advisories`` say about ``names`` in the place of what was said so far; of
        other names what they say is passed over."""
        index = AdvisoryIndex(())
        index._rules = {name: some for name, some in self._rules.items() if name not in names}
        index._beaten = {name: some for name, some in self._beaten.items() if name not in names}
        said = (rule for one in advisories for rule in rules(one))
        index._take(_readable(rule) for rule in said if (rule.release, rule.package) in names)
        return index

    def lanes(self, names: Iterable[Name] | None = None) -> Iterator[tuple[Name, Lane, Rules]]:
        """All that counts, or what counts of ``names``."""
        for name in self._rules if names is None else names:
            for of, some in self._rules.get(name, {}).items():
                yield name, of, some

    def __iter__(self) -> Iterator[Rule]:
        for _, _, by_cve in self.lanes():
            for some in by_cve.values():
                yield from some

    def rules(self, release: str, package: str, of: Lane = BASE) -> Rules:
        """All that count in ``package`` of ``release``."""
        return self._rules.get((release, package), {}).get(of, {})

    def about(
        self, release: str, package: Package, cves: Set[str] | None = None, *, stream: str = ""
    ) -> Iterator[Rule]:
        """The rules that count for a package, all or those about ``cves``, on a host of ``stream``
        (``channels.stream``): about each vulnerability those of the first tier
        (``subjects.tiers``) with any."""
        answered: set[str] = set()
        for tier in tiers(package, scheme_of(release), stream):
            said = [
                rule
                for subject in tier
                for some in _of(self.rules(release, subject.name, subject.lane), cves)
                for rule in some
                if concerns(rule, subject, package.arch)
            ]
            yield from (rule for rule in said if rule.cve not in answered)
            answered.update(rule.cve for rule in said)

    def others(self, rule: Rule, package: Package, *, stream: str = "") -> tuple[Rule, ...]:
        """What else is said about the vulnerability of ``rule`` in ``package`` and did not count:
        another state, or another fixed version."""
        found = {}
        for tier in tiers(package, scheme_of(rule.release), stream):
            for subject in tier:
                name = (rule.release, subject.name)
                said = self.rules(*name, subject.lane).get(rule.cve, ())
                beaten = self._beaten.get(name)
                if beaten is None and said == (rule,):
                    continue
                for one in said:
                    lost = beaten and beaten.get((subject.lane, one.cve, _slot(one)))
                    for other in (one, lost) if lost else (one,):
                        if differ(rule, other) and concerns(other, subject, package.arch):
                            found[other.publisher, other.state, other.fixed] = other
        return tuple(found.values())

    def _take(self, said: Iterable[Rule]) -> None:
        extended: set[Name] = set()
        for rule in said:
            of = lane(rule)
            if not rule.channel:
                self._add(rule, of)
                continue
            channel = channels.channel(rule.channel)
            build = channel.build or channels.minor(rule.channel)
            if build:
                self._add(rule, of._replace(build=build))
            if channel.extends:
                self._add(rule, of._replace(build=_EXTENSION))
                extended.add((rule.release, rule.package))
        for name in extended:
            self._settle(name)

    def _add(self, rule: Rule, of: Lane) -> None:
        name = (rule.release, rule.package)
        by_cve = self._rules.setdefault(name, {}).setdefault(of, {})
        known = by_cve.get(rule.cve)
        by_cve[rule.cve] = (rule,) if known is None else self._merged(name, of, known, rule)

    def _merged(
        self, name: Name, of: Lane, known: tuple[Rule, ...], rule: Rule
    ) -> tuple[Rule, ...]:
        own = _is_own(rule)
        if own != _is_own(known[0]):
            winner = rule if own else known[0]
            for loser in known if own else (rule,):
                self._lost(name, of, winner, loser)
            return (rule,) if own else known
        by_slot = {_slot(one): one for one in known}
        rival = by_slot.get(_slot(rule))
        if rival is None or weight(rule) > weight(rival):
            by_slot[_slot(rule)] = rule
        if rival is not None:
            winner = by_slot[_slot(rule)]
            self._lost(name, of, winner, rule if winner is rival else rival)
        return tuple(sorted(by_slot.values(), key=weight, reverse=True))

    def _lost(self, name: Name, of: Lane, winner: Rule, loser: Rule) -> None:
        """Keep the heaviest of those that lost and say something else."""
        if differ(winner, loser):
            beaten = self._beaten.setdefault(name, {})
            key = (of, winner.cve, _slot(winner))
            before = beaten.get(key)
            if before is None or not differ(winner, before) or _says_more(loser, before):
                beaten[key] = loser

    def _settle(self, name: Name) -> None:
        """Put the word of channels that extend the release where the release's own has none, or
        leaves it open."""
        lanes = self._rules[name]
        for extension in [one for one in lanes if one.build == _EXTENSION]:
            of = extension._replace(build="")
            base = lanes.setdefault(of, {})
            for cve, some in lanes.pop(extension).items():
                known = base.get(cve, ())
                base[cve] = self._extended(name, of, known, some) if known else some

    def _extended(
        self, name: Name, of: Lane, known: tuple[Rule, ...], some: tuple[Rule, ...]
    ) -> tuple[Rule, ...]:
        is_open = not any(one.state is FixState.FIXED for one in known) and any(
            one.state not in _DECIDED for one in known
        )
        by_slot = {_slot(one): one for one in known}
        for one in some:
            slot = _slot(one)
            rival = by_slot.get(slot)
            if is_open and one.state is FixState.FIXED:
                by_slot[slot] = one
                if rival is not None:
                    self._lost(name, of, one, rival)
            elif rival is not None:
                self._lost(name, of, rival, one)
        return tuple(sorted(by_slot.values(), key=weight, reverse=True))


_EXTENSION = "+"  # the lane of what channels say that extend the release, until it is settled


def _of(some: Rules, cves: Set[str] | None) -> Iterable[tuple[Rule, ...]]:
    return some.values() if cves is None else (some[cve] for cve in cves & some.keys())


def differ(one: Rule, other: Rule) -> bool:
    return (one.state, one.fixed) != (other.state, other.fixed)


def weight(rule: Rule) -> tuple[int, bool, bytes, str, str]:
    """Of rules about one vulnerability in one package the heaviest speaks for all."""
    fixed = order(rule.fixed, scheme_of(rule.release)) if rule.fixed else b""
    return -STATES.index(rule.state), not rule.channel, fixed, rule.advisory, rule.channel


def _readable(rule: Rule) -> Rule:
    """A fix in a version that cannot be compared is a fix that cannot be proved, and a first
    affected version that cannot be is none. Sources are told apart from packages under rpm alone:
    elsewhere every rule is about a source."""
    scheme = scheme_of(rule.release)
    if rule.by_source and scheme is not Scheme.RPM:
        rule = replace(rule, by_source=False)
    if rule.introduced and not is_valid(rule.introduced, scheme):
        rule = replace(rule, introduced="")
    if rule.state is not FixState.FIXED or is_valid(rule.fixed or "", scheme):
        return rule
    return replace(rule, state=FixState.UNDER_INVESTIGATION, fixed=None)


def _is_own(rule: Rule) -> bool:
    """Whether it is a publisher's own word."""
    return rule.publisher != changelogs.PUBLISHER


def _says_more(one: Rule, other: Rule) -> bool:
    return (_is_own(one), weight(one)) > (_is_own(other), weight(other))


def _slot(rule: Rule) -> _Slot:
    """Rules of a lane that differ in it do not contradict each other."""
    return rule.introduced, rule.archs
