"""What the formats of rpm publishers share: versions with epochs, package names with versions, and
advisories that list one fix again for every architecture and repository."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.feeds.fields import token
from suture.reading import UnreadableError

ARCHS = frozenset(
    {"aarch64", "armv7hl", "athlon", "i386", "i486", "i586", "i686", "ia64", "noarch", "ppc"}
    | {"ppc64", "ppc64le", "riscv64", "s390", "s390x", "sparc64", "src", "x86_64", "x86_64_v2"}
)

UNKNOWN_STREAM = "built for a module whose stream the advisory does not name"

_STREAM = re.compile(
    r"(?<![A-Za-z0-9_+.:-])(?P<name>[a-z0-9][a-z0-9+_.-]{0,60})"
    r":(?P<stream>[A-Za-z0-9][A-Za-z0-9+_.-]{0,60})"
)
_DEBUG = re.compile(r"-(debuginfo|debugsource|debuginfo-common(-[a-z0-9_]+)?)$")
_EPOCH = re.compile(r"[0-9]{1,10}")
_MODULAR = re.compile(r"\.module[_+]")


class Nevra(NamedTuple):
    """A package file's name taken apart; ``evr`` leaves an epoch of 0 out. ``arch`` may be
    empty."""

    name: str
    evr: str
    arch: str


class Said(NamedTuple):
    """What is said about one package on one architecture; an empty ``arch`` is all of them.
    Other fields are as in :class:`Affected`."""

    release: str
    package: str
    state: FixState
    fixed: str | None = None
    arch: str = ""
    channel: str = ""
    module: str = ""
    severity: Severity = Severity.UNKNOWN
    note: str = ""
    by_source: bool = False


def evr(epoch: str | None, version: str, release: str, *, name: str) -> str:
    """``epoch:version-release`` without an epoch of 0; refuses what no rpm has."""
    epoch = epoch or "0"
    if not (version and release and _EPOCH.fullmatch(epoch)):
        raise UnreadableError(f"{name} names a package without a version")
    text = token(f"{version}-{release}", name=name)
    return text if int(epoch) == 0 else f"{int(epoch)}:{text}"


def split_nevra(text: str, *, name: str) -> Nevra:
    """``bind-libs-32:9.11-3.el8.x86_64.rpm`` taken apart; epoch, architecture and ending may
    be missing. Raises :class:`UnreadableError` where it is not a package with a version."""
    text = text.removesuffix(".rpm")
    stem, _, arch = text.rpartition(".")
    if arch not in ARCHS:
        stem, arch = text, ""
    parts = stem.rsplit("-", 2)
    if len(parts) != 3 or not parts[0]:
        raise UnreadableError(f"{name} names a package without a version: {text[:80]!a}")
    package, version, release = parts
    epoch, colon, rest = version.rpartition(":")
    fixed = evr(epoch if colon else None, rest, release, name=name)
    return Nevra(token(package, name=name), fixed, arch)


def is_modular(evr_: str) -> bool:
    """Whether the release says that the package was built for a module."""
    return _MODULAR.search(evr_) is not None


def is_debug(package: str) -> bool:
    """Symbols and sources for debuggers, which carry no code that runs."""
    return _DEBUG.search(package) is not None


def only_stream(streams: Iterable[str], title: str) -> str:
    """The module stream (``nodejs:18``) that is meant: the only one, or the only one of them that
    the title names; empty where it is not clear.

    What is for building against a module (``mariadb-devel:10.3``) is in a module of its own, which
    hosts do not enable.
    """
    main = {one for one in streams if not one.partition(":")[0].endswith("-devel")}
    for candidates in (main & named_streams(title), main):
        if len(candidates) == 1:
            return candidates.pop()
    return ""


def named_streams(title: str) -> set[str]:
    """The module streams that an advisory's title names."""
    return {match[0] for match in _STREAM.finditer(title)}


def with_streams(advisory: Advisory) -> Advisory:
    """The advisory with the stream that its title names, for packages whose release says that
    they were built for a module and no more."""
    if not any(is_modular(one.fixed or "") for one in advisory.affected):
        return advisory
    module = only_stream(named_streams(advisory.summary), advisory.summary)
    note = "" if module else UNKNOWN_STREAM
    return replace(
        advisory,
        affected=tuple(
            replace(one, module=module, note=note)
            if is_modular(one.fixed or "") and not one.module
            else one
            for one in advisory.affected
        ),
    )


def affected(said: Iterable[Said]) -> tuple[Affected, ...]:
    """One :class:`Affected` for what is said alike on several architectures.

    Architectures are named only where a package has different answers on different ones.
    """
    archs: dict[Said, set[str]] = {}
    for one in said:
        archs.setdefault(one._replace(arch=""), set()).add(one.arch)
    by_package: dict[tuple[str, str, str, bool], list[Said]] = defaultdict(list)
    for one in archs:
        by_package[one.release, one.channel, one.package, one.by_source].append(one)
    result = []
    for answers in by_package.values():
        apart = len(answers) > 1 and _are_apart([archs[one] for one in answers])
        for one in answers:
            named = tuple(sorted(archs[one])) if apart else ()
            fields = one._asdict()
            del fields["arch"]
            result.append(Affected(**fields, archs=named))
    return tuple(result)


def _are_apart(archs: list[set[str]]) -> bool:
    """Whether each architecture has one answer, and it matters which."""
    union = set().union(*archs)
    return sum(map(len, archs)) == len(union) and not union & {"", "noarch"}
