"""What a package has in common with the rules about it.

Rules name a source package or, where rpm is used, mostly a binary one; some are about one module
stream, or about the builds of one channel. A **lane** is that kind of rule, a **subject** what a
package answers to in a lane, and **tiers** are its subjects, the most exact first.
"""

from __future__ import annotations

from typing import NamedTuple

from suture.core.intelligence import channels
from suture.core.intelligence.advisories import Rule
from suture.core.inventory import AvailableVersion, Package
from suture.core.versions import Scheme, order, scheme_of

# Some publishers name no module stream, and only the version tells that it is of some module.
_SOME_MODULE = "*"
_MODULAR = ".module"
_ANY_ARCH = ("all", "noarch", "any")


class Lane(NamedTuple):
    """``by_source``: of rules about rpm packages that name the source package. ``build`` is the
    mark of a channel's builds, see :func:`suture.core.intelligence.channels.build`, or the minor
    release of a stream, and ``module`` the module stream, ``*`` for one that is not named; empty
    for none."""

    by_source: bool = False
    build: str = ""
    module: str = ""


class Subject(NamedTuple):
    """``name`` is what rules of ``lane`` call the package, ``version`` what they compare."""

    name: str
    version: str
    lane: Lane


BASE = Lane()
_BY_SOURCE = Lane(by_source=True)

Tiers = tuple[tuple[Subject, ...], ...]


def tiers(package: Package, scheme: Scheme, stream: str = "") -> Tiers:
    """The subjects of a package, on a host of a ``stream`` where there is one. What is said in one
    tier about a vulnerability goes before what is said about it in those behind: the word on such
    builds before the word on the release's own, and that on the binary package before that on its
    source."""
    if scheme is Scheme.RPM:
        found = _rpm_tiers(package)
    else:
        found = ((Subject(package.source, package.source_version, BASE),),)
    builds = (channels.build(package), stream if channels.is_of(package, stream) else "")
    apart = tuple(
        tuple(one._replace(lane=one.lane._replace(build=build)) for one in tier)
        for build in builds
        if build
        for tier in found
    )
    return apart + found


def _rpm_tiers(package: Package) -> Tiers:
    name, version = compared(package, Scheme.RPM, by_source=False)
    source, source_version = compared(package, Scheme.RPM, by_source=True)
    if not package.module and _MODULAR not in package.version:
        own = Subject(name, version, BASE)
        return (own,), (Subject(source, source_version, _BY_SOURCE),)
    modules = (package.module, _SOME_MODULE) if package.module else (_SOME_MODULE,)
    return (
        tuple(Subject(name, version, Lane(False, "", one)) for one in modules),
        tuple(Subject(source, source_version, Lane(True, "", one)) for one in modules),
    )


def names(package: Package | AvailableVersion, scheme: Scheme) -> set[str]:
    """What rules may call the package."""
    return {package.name, package.source} if scheme is Scheme.RPM else {package.source}


def lane(rule: Rule) -> Lane:
    """The lane of a rule, as if it were about the release's own builds."""
    if not (rule.module or rule.by_source or _MODULAR in (rule.fixed or "")):
        return BASE
    if scheme_of(rule.release) is not Scheme.RPM:
        return Lane(module=rule.module)
    module = rule.module or (_SOME_MODULE if _MODULAR in (rule.fixed or "") else "")
    return Lane(rule.by_source, "", module)


def compared(
    package: Package | AvailableVersion, scheme: Scheme, *, by_source: bool
) -> tuple[str, str]:
    """The name that rules give the package and the version that they compare: its own where rpm
    is used and the rule names binary packages, and elsewhere its source's.

    An rpm package names its source without the epoch: it is that of a binary package which has
    the same version.
    """
    if scheme is not Scheme.RPM:
        return package.source, package.source_version
    if not by_source:
        return package.name, package.version
    if package.version.partition(":")[2] == package.source_version:
        return package.source, package.version
    return package.source, package.source_version


def concerns(rule: Rule, subject: Subject, arch: str) -> bool:
    """Whether a rule of the subject's lane is about a package of its version on ``arch``."""
    if not on_arch(rule.archs, arch):
        return False
    if not rule.introduced:
        return True
    scheme = scheme_of(rule.release)
    version = order(subject.version, scheme)
    return not version or version >= order(rule.introduced, scheme)


def on_arch(archs: tuple[str, ...], arch: str) -> bool:
    """Whether a rule for ``archs`` (all where empty) concerns a package of ``arch``."""
    return not archs or arch in archs or arch in _ANY_ARCH
