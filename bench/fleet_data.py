"""Fleets of any size, every host's package set distinct, whose packages the real rules name.

Versions are those in which publishers fixed something, so a host is as many fixes behind as its
patch level says. Half of a host's packages have rules, half are such of which nothing is known, as
on real hosts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import sqlalchemy as sa
from msgspec.structs import replace

from bench import published
from suture.core.intelligence.advisories import Advisory
from suture.core.inventory import Package
from suture.core.versions import Scheme, is_valid, order, scheme_of
from suture.store import inventories, package_sets
from suture.store.database import Store
from suture.store.tables import observations
from suture.store.tables import package_sets as sets

RELEASES = (
    "almalinux:8", "almalinux:9", "almalinux:10", "debian:stretch", "debian:buster",
    "debian:bullseye", "ubuntu:trusty", "ubuntu:xenial", "ubuntu:bionic",
)  # fmt: skip

_PACKAGES = 600
_DRAWN = 10_000  # hosts that are drawn at random
_FILLERS = 3000
_PATCH_LEVELS = 6
_SEEN = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Offered:
    """The packages of one source by patch level, oldest first."""

    levels: tuple[tuple[Package, ...], ...]


def advisories() -> list[Advisory]:
    """All that the publishers of the benchmark's releases say."""
    return [*published.alma(), *published.debian(), *published.ubuntu()]


def universe(said: Sequence[Advisory]) -> dict[str, list[Offered]]:
    """What hosts of each release choose from: sources with rules, then as many without."""
    chance = random.Random(5)
    sources: dict[tuple[str, str], dict[str, set[str]]] = {}
    for advisory in said:
        for release in {affected.release for affected in advisory.affected} & set(RELEASES):
            scheme = scheme_of(release)
            there = [
                one
                for one in advisory.affected
                if one.release == release and is_valid(one.fixed or "", scheme)
            ]
            if not there:
                continue
            shortest = min((one.package for one in there), key=len)
            for one in there:
                key = (release, shortest if scheme is Scheme.RPM else one.package)
                names = sources.setdefault(key, {})
                names.setdefault(one.package, set()).add(one.fixed or "")
    found: dict[str, list[Offered]] = {release: [] for release in RELEASES}
    for (release, source), names in sources.items():
        found[release].append(_offered(release, source, names, chance))
    for release, offered in found.items():
        for number in range(_FILLERS):
            name = f"quiet-{number}"
            offered.append(_offered(release, name, {name: {"1.0-1", "1.1-1"}}, chance))
    return found


def _offered(
    release: str, source: str, names: dict[str, set[str]], chance: random.Random
) -> Offered:
    scheme = scheme_of(release)
    if scheme is Scheme.RPM:
        some = dict(list(names.items())[:4])
        arch = "x86_64"
    else:
        fixed = next(iter(names.values()))
        some = {f"{source}{suffix}": fixed for suffix in ("", "-common", "-dev")}
        some = dict(list(some.items())[: chance.choice((1, 1, 2, 3))])
        arch = "amd64"
    levels = []
    for level in range(_PATCH_LEVELS):
        packages = []
        for name, versions in some.items():
            ordered = ["0", *sorted(versions, key=lambda one: order(one, scheme))]
            version = ordered[round((len(ordered) - 1) * level / (_PATCH_LEVELS - 1))]
            packages.append(Package(name, arch, version, source, version))
        levels.append(tuple(packages))
    return Offered(tuple(levels))


HostPackages = tuple[str, str, list[Package]]  # name, release, packages


def hosts(offered: dict[str, list[Offered]], count: int) -> Iterator[HostPackages]:
    """(name, release, packages) of each host; popular sources are on most of them."""
    chance = random.Random(7)
    for number in range(count):
        release = RELEASES[number % len(RELEASES)]
        ruled, quiet = offered[release][:-_FILLERS], offered[release][-_FILLERS:]
        level = min(int(chance.triangular(0, _PATCH_LEVELS, _PATCH_LEVELS)), _PATCH_LEVELS - 1)
        packages: dict[str, Package] = {}
        for some, share in ((ruled, _PACKAGES // 2), (quiet, _PACKAGES)):
            while len(packages) < share:
                source = some[int(len(some) * chance.random() ** 2)]
                late = level if chance.random() < 0.9 else chance.randrange(_PATCH_LEVELS)
                for package in source.levels[late]:
                    if len(packages) < share:
                        packages.setdefault(package.name, package)
        yield f"host-{number:06}", release, list(packages.values())


def line(package: Package) -> str:
    """As the collection's script prints what dpkg lists."""
    return "\t".join(
        (package.name, package.arch, package.version, package.source, package.source_version,
         "install", "installed", "ok")
    )  # fmt: skip


def fill(store: Store, offered: dict[str, list[Offered]], count: int, document: bytes) -> None:
    """As scans would have left it; ``document`` stands for the rest of each inventory.

    Beyond ten thousand, hosts are those of before with another package left out each time.
    """
    every = {p for some in offered.values() for one in some for level in one.levels for p in level}
    ordered = sorted(every)
    with store.begin() as connection:
        ids = dict(zip(ordered, inventories.intern(connection, ordered), strict=True))
        originals = [
            (name, release, [ids[package] for package in sorted(packages)])
            for name, release, packages in hosts(offered, min(count, _DRAWN))
        ]
        for copy in range(-(-count // _DRAWN)):
            batch = [
                (f"{name}-{copy}", release, package_sets.pack(some[:copy] + some[copy + 1 :]))
                for name, release, some in originals
            ]
            _insert(connection, batch, document)


def _insert(
    connection: sa.Connection, batch: Sequence[tuple[str, str, bytes]], document: bytes
) -> None:
    digests = [sha256(packed).hexdigest() for _, _, packed in batch]
    if len(set(digests)) != len(batch):
        raise RuntimeError("two hosts have the same packages")
    connection.execute(
        sa.insert(sets),
        [{"digest": d, "ids": packed} for d, (_, _, packed) in zip(digests, batch, strict=True)],
    )
    connection.execute(
        sa.insert(observations),
        [
            {
                "host": name, "package_set": digest, "seen_from": _SEEN, "seen_until": _SEEN,
                "release": release, "apart": package_sets.pack(()), "inventory": document,
            }
            for digest, (name, release, _) in zip(digests, batch, strict=True)
        ],
    )  # fmt: skip


def corrected(said: Sequence[Advisory], day: int, count: int = 100) -> list[Advisory]:
    """A feed's new day: some advisories with each fix in a later version than said before."""
    chosen = random.Random(day).sample([one for one in said if one.publisher == "almalinux"], count)
    return [
        replace(one, affected=tuple(replace(a, fixed=f"{a.fixed}.1") for a in one.affected))
        for one in chosen
    ]
