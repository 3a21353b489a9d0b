"""Of all that is said about a package the rules that count, and which packages they are about.

One truth for a single host (:mod:`suture.core.matching`) and for a fleet
(:mod:`suture.core.fleet_matching`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec.structs import replace

from suture.core import changelogs
from suture.core.advisories import Advisory, FixState, Rule, rules
from suture.core.inventory import AvailableVersion, Package
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

# Some publishers name no module stream, and only the version tells that it is of some module.
_SOME_MODULE = "*"
_MODULAR = ".module"
_ANY_ARCH = ("all", "noarch", "any")

Name = tuple[str, str]  # release, and the package's name as rules write it
Rules = Mapping[str, tuple[Rule, ...]]  # by CVE, those that weigh most first


class AdvisoryIndex:
    """The rules that count for each (release, package, CVE).

    A publisher's own word goes before what was read out of changelogs. For one module stream, one
    range of versions and one set of architectures the release's own archive goes before others,
    and then the highest fixed version counts, for an earlier fix that needed another one was none.
    """

    def __init__(self, advisories: Iterable[Advisory]) -> None:
        self._rules: dict[Name, dict[str, tuple[Rule, ...]]] = {}
        for advisory in advisories:
            for rule in map(_readable, rules(advisory)):
                self._add(rule)

    def renewed(self, names: Collection[Name], advisories: Iterable[Advisory]) -> AdvisoryIndex:
        """With what ``advisories`` say about ``names`` in the place of what was said so far; of
        other names what they say is passed over."""
        index = AdvisoryIndex(())
        index._rules = {name: some for name, some in self._rules.items() if name not in names}
        for advisory in advisories:
            for rule in map(_readable, rules(advisory)):
                if (rule.release, rule.package) in names:
                    index._add(rule)
        return index

    def _add(self, rule: Rule) -> None:
        by_cve = self._rules.setdefault((rule.release, rule.package), {})
        known = by_cve.get(rule.cve)
        by_cve[rule.cve] = (rule,) if known is None else _merged(known, rule)

    def __iter__(self) -> Iterator[Rule]:
        for by_cve in self._rules.values():
            for some in by_cve.values():
                yield from some

    def rules(self, release: str, package: str) -> Rules:
        """All that count in ``package`` of ``release``."""
        return self._rules.get((release, package), {})

    def about(self, release: str, package: str) -> dict[str, Rule]:
        """CVE → the rule that weighs most in ``package`` of ``release``."""
        return {cve: some[0] for cve, some in self.rules(release, package).items()}


def subject(package: Package | AvailableVersion, scheme: Scheme) -> tuple[str, str]:
    """The name that rules give the package, and the version that they compare: its own where rpm
    is used, and elsewhere its source's."""
    if scheme is Scheme.RPM:
        return package.name, package.version
    return package.source, package.source_version


def lane(rule: Rule) -> str:
    """The module stream that a rule is about, ``*`` for one that is not named, empty for none."""
    if rule.module or _MODULAR not in (rule.fixed or ""):
        return rule.module
    return _SOME_MODULE if scheme_of(rule.release) is Scheme.RPM else ""


def lanes(package: Package, scheme: Scheme) -> tuple[str, ...]:
    """The :func:`lane` of every rule that concerns the package."""
    if scheme is Scheme.RPM and (package.module or _MODULAR in package.version):
        return (package.module, _SOME_MODULE) if package.module else (_SOME_MODULE,)
    return ("",)


def on_arch(archs: Iterable[str], arch: str) -> bool:
    """Whether a rule for ``archs`` (all where empty) concerns a package of ``arch``."""
    wanted = tuple(archs)
    return not wanted or arch in wanted or arch in _ANY_ARCH


def weight(rule: Rule) -> tuple[int, bool, bytes, str]:
    """Of rules about one vulnerability in one package the heaviest speaks for all."""
    fixed = order(rule.fixed, scheme_of(rule.release)) if rule.fixed else b""
    return -STATES.index(rule.state), not rule.channel, fixed, rule.advisory


def _readable(rule: Rule) -> Rule:
    """A fix in a version that cannot be compared is a fix that cannot be proved, and a first
    affected version that cannot be is none."""
    scheme = scheme_of(rule.release)
    if rule.introduced and not is_valid(rule.introduced, scheme):
        rule = replace(rule, introduced="")
    if rule.state is not FixState.FIXED or is_valid(rule.fixed or "", scheme):
        return rule
    return replace(rule, state=FixState.UNDER_INVESTIGATION, fixed=None)


def _merged(known: tuple[Rule, ...], rule: Rule) -> tuple[Rule, ...]:
    own = rule.publisher != changelogs.PUBLISHER
    if own != (known[0].publisher != changelogs.PUBLISHER):
        return (rule,) if own else known
    by_slot = {_slot(one): one for one in known}
    rival = by_slot.get(_slot(rule))
    if rival is None or weight(rule) > weight(rival):
        by_slot[_slot(rule)] = rule
    return tuple(sorted(by_slot.values(), key=weight, reverse=True))


def _slot(rule: Rule) -> tuple[str, str, tuple[str, ...]]:
    """Rules that differ in it do not contradict each other."""
    return lane(rule), rule.introduced, rule.archs
