"""Package sets as arrays of numbers: each distinct package is stored once for the fleet."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from importlib import import_module
from itertools import accumulate, islice
from operator import sub
from typing import Any

import sqlalchemy as sa

from suture.core.inventory import Package, PackageSet, PackageState
from suture.store.tables import package_sets, packages

_PART = 500  # values in one IN (…)
_ALL = 20_000  # from so many packages on the whole table is read instead
_COLUMNS = tuple(column for column in packages.c if column.name != "id")


def pack(numbers: Iterable[int]) -> bytes:
    """Differences of one to the next, as little-endian 32-bit integers, compressed."""
    some = list(numbers)
    differences = map(sub, some, (0, *some))
    return zlib.compress(struct.pack(f"<{len(some)}i", *differences), 1)


def unpack(packed: bytes) -> list[int]:
    """The numbers that :func:`pack` was given."""
    raw = zlib.decompress(packed)
    return list(accumulate(struct.unpack(f"<{len(raw) // 4}i", raw)))


def save(connection: sa.Connection, digest: str, packages: PackageSet) -> None:
    """Keep a package set; hosts with the same packages share one."""
    known = connection.execute(
        sa.select(package_sets.c.digest).where(package_sets.c.digest == digest)
    ).one_or_none()
    if known is None:
        ids = pack(intern(connection, packages.packages))
        connection.execute(sa.insert(package_sets).values(digest=digest, ids=ids))


def intern(connection: sa.Connection, some: Sequence[Package]) -> list[int]:
    """The ids of packages, in their order; those that are new get one."""
    rows = [_row(package) for package in some]
    known = _known(connection, rows)
    new = [row for row in dict.fromkeys(rows) if row not in known]
    if new:
        # The module of the dialect in use is loaded already; importing both is slow.
        dialect: Any = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
        names = [column.name for column in _COLUMNS]
        connection.execute(
            dialect.insert(packages).on_conflict_do_nothing(),
            [dict(zip(names, row, strict=True)) for row in new],
        )
        known |= _known(connection, new)
    return [known[row] for row in rows]


def load(connection: sa.Connection, digests: Collection[str]) -> dict[str, PackageSet]:
    """Package sets by digest; clones share one, read once."""
    found: dict[str, bytes] = {}
    for part in parts(sorted(digests)):
        query = sa.select(package_sets).where(package_sets.c.digest.in_(part))
        found |= {row.digest: row.ids for row in connection.execute(query)}
    ids = {digest: unpack(packed) for digest, packed in found.items()}
    known = by_id(connection, sorted(set().union(*ids.values())))
    return {digest: PackageSet(tuple(known[one] for one in some)) for digest, some in ids.items()}


def by_id(connection: sa.Connection, ids: Sequence[int]) -> dict[int, Package]:
    """Packages by id."""
    query = sa.select(packages.c.id, *_COLUMNS)
    if len(ids) > _ALL:
        return {row[0]: _package(row) for row in connection.execute(query)}
    return {
        row[0]: _package(row)
        for part in parts(ids)
        for row in connection.execute(query.where(packages.c.id.in_(part)))
    }


def _row(package: Package) -> tuple[str, ...]:
    return tuple(str(getattr(package, column.name)) for column in _COLUMNS)


def _package(row: Any) -> Package:
    _, name, arch, version, source, source_version, state, module = row
    return Package(name, arch, version, source, source_version, PackageState(state), module)


def _known(
    connection: sa.Connection, rows: Iterable[tuple[str, ...]]
) -> dict[tuple[str, ...], int]:
    """The ids of all packages of the same names."""
    query = sa.select(packages.c.id, *_COLUMNS)
    return {
        tuple(row[1:]): row[0]
        for part in parts(sorted({row[0] for row in rows}))
        for row in connection.execute(query.where(packages.c.name.in_(part)))
    }


def parts(values: Sequence[Any]) -> Iterator[list[Any]]:
    """As many at a time as fit into one IN (…)."""
    rest = iter(values)
    while part := list(islice(rest, _PART)):
        yield part
