"""apt and dpkg: what the collection's apt sections say, read strictly.

Line formats are those that ``scripts/collect-packages.sh`` prints. Names, versions and digests that
do not look like what Debian's policy allows are left out with a note, never passed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from msgspec.structs import replace

from suture.core.inventory import (
    AvailableVersion,
    Inventory,
    Origin,
    Package,
    PackageSet,
    PackageState,
    Update,
)
from suture.hosts.managers.apt_offers import Offers, pick, read_offers
from suture.hosts.managers.fields import check_arch, check_name, check_version, percent
from suture.hosts.managers.packages import PackageFacts
from suture.hosts.sections import MalformedError, Reading
from suture.hosts.text import clean

SCRIPTS = ("collect-policy", "collect-packages", "collect-apt")

_KERNEL_PACKAGE = re.compile(r"linux-image-(?:unsigned-)?(?P<release>\d[A-Za-z0-9.+~-]*)")
_INDEX = re.compile(r" *-?\d+ (?P<key>\S.*)")
_PIN = re.compile(r" +(?P<name>\S+) -> ")

_STATES = {
    "installed": PackageState.INSTALLED,
    "config-files": PackageState.RESIDUAL,
    "half-installed": PackageState.HALF_INSTALLED,
    "half-configured": PackageState.HALF_CONFIGURED,
    "unpacked": PackageState.UNPACKED,
    "triggers-awaited": PackageState.TRIGGERS,
    "triggers-pending": PackageState.TRIGGERS,
}

# Who publishes a distribution's own archives, by the id of os-release.
_DISTRIBUTION = {
    "debian": ("Debian", "Debian Backports"),
    "ubuntu": ("Ubuntu", "UbuntuESM", "UbuntuESMApps"),
}


@dataclass
class _Table:
    """One package's version table: origins of the installed version and of all others, and the
    newer versions with theirs, newest first. ``phased`` is a percentage by version."""

    candidate: str
    installed: tuple[Origin, ...]
    others: tuple[Origin, ...]
    newer: list[tuple[str, tuple[Origin, ...]]] = field(default_factory=list)
    phased: dict[str, int] = field(default_factory=dict)


def read_apt(reading: Reading, os_id: str) -> PackageFacts:
    """All of it; raises :class:`MalformedError` without an architecture or any package."""
    archs = reading.each("archs", check_arch)
    if not archs:
        raise MalformedError("dpkg names no architecture")
    rows = reading.each("packages", read_package)
    packages = tuple(sorted(package for package, _ in rows))
    if not packages:
        raise MalformedError("dpkg lists no packages")
    installed = {
        _as_apt_says(package.name, package.arch, archs[0]): package
        for package in packages
        if package.state is not PackageState.RESIDUAL
    }
    origins, pins = read_archives(reading)
    tables = _tables(reading, "policy", origins)
    available = read_offers(reading)
    actions = _upgrade(reading)
    return PackageFacts(
        arch=archs[0],
        foreign_archs=tuple(archs[1:]),
        packages=PackageSet(packages),
        held=tuple(sorted(package.key for package, held in rows if held)),
        automatic=_automatic(reading, packages),
        third_party=_third_party(
            reading, installed, tables, _distribution(os_id, origins.values())
        ),
        pinned=tuple(sorted(installed[name].key for name in pins if name in installed)),
        updates=tuple(_updates(reading, installed, tables, available, actions["phased"])),
        installable=tuple(
            _installable(
                reading,
                actions["new"],
                _tables(reading, "policy-new", origins),
                available,
                archs[0],
            )
        ),
        archives=tuple(sorted(set(origins.values()), key=str)),
        indexes_age_s=_age(reading),
        kernels=frozenset(_kernels(packages)),
    )


def read_unchanged(reading: Reading, before: Inventory) -> PackageFacts:
    """What was read ``before``, of a host that says that nothing has changed since."""
    return PackageFacts(
        arch=before.arch,
        foreign_archs=before.foreign_archs,
        packages=before.packages,
        held=before.held,
        automatic=before.automatic,
        third_party=before.third_party,
        pinned=before.pinned,
        updates=before.updates,
        installable=before.installable,
        archives=before.archives,
        indexes_age_s=_age(reading),
        kernels=frozenset(_kernels(before.packages.packages)),
    )


def _as_apt_says(name: str, arch: str, native: str) -> str:
    """apt leaves the native architecture and ``all`` out of a name."""
    return name if arch in (native, "all") else f"{name}:{arch}"


def read_package(line: str) -> tuple[Package, bool] | None:
    """A package, and whether it is held."""
    name, arch, version, source, source_version, want, status, flag = line.split("\t")[:8]
    if status == "not-installed":
        return None
    state = _STATES.get(status, PackageState.UNKNOWN)
    if flag != "ok":
        state = PackageState.HALF_INSTALLED
    package = Package(
        name=check_name(name),
        arch=check_arch(arch),
        version=check_version(version),
        source=check_name(source),
        source_version=check_version(source_version),
        state=state,
    )
    return package, want == "hold"


def _automatic(reading: Reading, packages: Iterable[Package]) -> tuple[str, ...]:
    """apt records packages for ``all`` under the native architecture."""
    marked = set(reading.lines("automatic"))
    native = reading.first("archs")
    return tuple(
        package.key
        for package in packages
        if package.state is not PackageState.RESIDUAL
        and (
            package.key in marked
            or (package.arch == "all" and f"{package.name}:{native}" in marked)
        )
    )


def _kernels(packages: Iterable[Package]) -> Iterator[str]:
    for package in packages:
        found = _KERNEL_PACKAGE.fullmatch(package.name)
        if (
            found
            and package.state is not PackageState.RESIDUAL
            and not package.name.endswith("-dbg")
        ):
            yield found["release"]


def read_archives(reading: Reading) -> tuple[dict[str, Origin], tuple[str, ...]]:
    """Origins by the words with which version tables name them, and pinned packages' names."""
    origins: dict[str, Origin] = {}
    pins: list[str] = []
    key = release = ""
    pinning = False
    for line in reading.lines("archives"):
        if not line.startswith(" "):
            pinning = line.startswith("Pinned")
        elif pinning:
            if found := _PIN.match(line):
                pins.append(found["name"])
        elif line.startswith("     release "):
            release = line.strip()
            origins[key] = _origin(key, release)
        elif found := _INDEX.fullmatch(line):
            key = found["key"]
            origins.setdefault(key, _origin(key, ""))
    return {key: one for key, one in origins.items() if not key.startswith("/")}, tuple(pins)


def _origin(key: str, release: str) -> Origin:
    fields = dict(
        part.split("=", 1)
        for part in release.removeprefix("release ").split(",")
        if "=" in part and "=$(" not in part  # as apt-get indextargets says what has no value
    )
    scheme, _, rest = key.split(" ")[0].partition("://")
    site = clean(rest.split("/")[0], 100) if scheme.startswith("http") else "local"
    return Origin(
        origin=clean(fields.get("o", ""), 100),
        label=clean(fields.get("l", ""), 100),
        archive=clean(fields.get("a", ""), 100),
        codename=clean(fields.get("n", ""), 100),
        component=clean(fields.get("c", ""), 100),
        site=site,
    )


def _tables(reading: Reading, section: str, origins: Mapping[str, Origin]) -> dict[str, _Table]:
    """Version tables by name as apt says it."""
    rows = [line.split("\t") for line in reading.lines(section)]
    sources = {
        row[1]: origins[row[2]]
        for row in rows
        if row[0] == "S" and len(row) == 3 and row[2] in origins
    }

    @cache
    def named(numbers: str) -> tuple[Origin, ...]:
        return tuple(dict.fromkeys(sources[one] for one in numbers.split() if one in sources))

    tables: dict[str, _Table] = {}
    refused = []
    for row in rows:
        try:
            if row[0] == "P":
                _, name, candidate, installed, others = row
                tables[name] = _Table(candidate, named(installed), named(others))
            elif row[0] == "N":
                _, name, version, phased, numbers = row
                tables[name].newer.append((check_version(version), named(numbers)))
                if phased:
                    tables[name].phased[version] = percent(phased)
        except (ValueError, KeyError):
            refused.append(" ".join(row))
    reading.refuse(section, refused)
    return tables


def _distribution(os_id: str, archives: Iterable[Origin]) -> frozenset[str]:
    """Names under which the host's own distribution publishes the archives that it uses."""
    names = _DISTRIBUTION.get(os_id, ())
    return frozenset(
        one.origin for one in archives if one.origin in names or one.origin.lower() == os_id
    )


def _third_party(
    reading: Reading,
    installed: Mapping[str, Package],
    tables: Mapping[str, _Table],
    distribution: frozenset[str],
) -> tuple[str, ...]:
    """Installed from an archive that is not the distribution's, or offered by none of its.

    A version that no archive has any more (an old one, or one built by hand) counts as the
    distribution's where the distribution offers the package under that name.
    """

    if not distribution:
        reading.notes.append(
            "no archive of the distribution is known: third-party packages cannot be told"
        )
        return ()

    def own(origins: Iterable[Origin]) -> bool:
        return any(origin.origin in distribution for origin in origins)

    return tuple(
        sorted(
            package.key
            for name, package in installed.items()
            if (table := tables.get(name)) is not None and not own(table.installed or table.others)
        )
    )


def _upgrade(reading: Reading) -> dict[str, list[tuple[str, str]]]:
    """(name, version) by what a full upgrade would do: ``new``, ``removed``, ``phased``."""
    found: dict[str, list[tuple[str, str]]] = {"new": [], "removed": [], "phased": []}
    done = False
    for row in (line.split("\t") for line in reading.lines("upgrade")):
        done = done or row[0] == "done"
        if row[0] in found and len(row) == 3:
            found[row[0]].append((row[1], row[2]))
    if not done:
        reading.notes.append(
            "apt could not work out a full upgrade: new and deferred packages are unknown"
        )
    if found["removed"]:
        names = ", ".join(clean(name, 60) for name, _ in found["removed"][:20])
        reading.notes.append(f"a full upgrade would remove {len(found['removed'])}: {names}")
    return found


def _updates(
    reading: Reading,
    installed: Mapping[str, Package],
    tables: Mapping[str, _Table],
    available: Offers,
    phased: Iterable[tuple[str, str]],
) -> Iterator[Update]:
    deferred = {name for name, _ in phased}
    undescribed = []
    for name, package in installed.items():
        table = tables.get(name)
        if table is None:
            reading.notes.append(f"apt says nothing about {package.key}")
            continue
        if not table.newer:
            continue
        versions = []
        for version, origins in table.newer:
            one = pick(available, package.name, version, package.arch)
            if one is None:
                undescribed.append(f"{package.key} {version}")
                continue
            percent = table.phased.get(version, one.phased_percent)
            versions.append(replace(one, origins=origins, phased_percent=percent))
        if versions:
            yield Update(
                name=package.name,
                arch=package.arch,
                installed=package.version,
                source=package.source,
                candidate=_candidate(table),
                versions=tuple(versions),
                deferred=name in deferred,
            )
    reading.refuse("versions that apt does not describe", undescribed)


def _candidate(table: _Table) -> str | None:
    return table.candidate if table.candidate in dict(table.newer) else None


def _installable(
    reading: Reading,
    new: Iterable[tuple[str, str]],
    tables: Mapping[str, _Table],
    available: Offers,
    native: str,
) -> Iterator[AvailableVersion]:
    undescribed = []
    for full, version in new:
        name, _, arch = full.partition(":")
        one = pick(available, name, version, arch or native)
        if one is None:
            undescribed.append(f"{full} {version}")
            continue
        table = tables.get(full)
        origins = dict(table.newer).get(version, ()) if table else ()
        yield replace(one, origins=origins)
    reading.refuse("new packages that apt does not describe", undescribed)


def _age(reading: Reading) -> float | None:
    """Seconds since the newest package list was published, or was found to be current.

    apt gives a list the time at which its archive published it, and keeps no record of having
    asked; so the true age can be less, never more.
    """
    times: dict[str, list[int]] = {"now": [], "list": [], "refreshed": []}
    for line in reading.lines("indexes"):
        what, _, when = line.partition(" ")
        if what in times and when.isascii() and when.isdigit() and len(when) <= 12:
            times[what].append(int(when))
    if not times["now"] or not times["list"]:
        reading.notes.append("the host has no package lists: run apt-get update there")
        return None
    return float(max(0, times["now"][0] - max(times["list"] + times["refreshed"])))
