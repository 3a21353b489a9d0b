"""Keeping what is seen on hosts: a row for as long as a host's packages stay the same.

Reading it is for :mod:`suture.store.observations`, which needs no SQLAlchemy.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.assessment.counted import apart
from suture.core.documents import encode
from suture.core.inventory import Inventory, Package, PackageSet
from suture.store.package_sets import pack
from suture.store.query import parts
from suture.store.tables import observations, package_sets, packages

_NONE = PackageSet(packages=())
_COLUMNS = tuple(column for column in packages.c if column.name != "id")


def record(connection: sa.Connection, inventory: Inventory) -> None:
    """Keep an observation. The same packages as last time only extend the last row."""
    digest = inventory.packages.digest
    _save(connection, digest, inventory.packages)
    last = connection.execute(
        sa.select(observations.c.id, observations.c.package_set, observations.c.seen_until)
        .where(observations.c.host == inventory.host)
        .order_by(observations.c.seen_until.desc(), observations.c.id.desc())
        .limit(1)
    ).one_or_none()
    if last is not None and last.seen_until > inventory.collected_at:
        return
    seen = {
        "seen_until": inventory.collected_at,
        "release": inventory.os.release[:255],
        "apart": pack(apart(inventory)),
        "inventory": zlib.compress(encode(replace(inventory, packages=_NONE)), 3),
    }
    if last is not None and last.package_set == digest:
        connection.execute(
            sa.update(observations).where(observations.c.id == last.id).values(**seen)
        )
        return
    connection.execute(
        sa.insert(observations).values(
            host=inventory.host, package_set=digest, seen_from=inventory.collected_at, **seen
        )
    )


def _save(connection: sa.Connection, digest: str, seen: PackageSet) -> None:
    """Keep a package set; hosts with the same packages share one."""
    known = connection.execute(
        sa.select(package_sets.c.digest).where(package_sets.c.digest == digest)
    ).one_or_none()
    if known is None:
        ids = pack(intern(connection, seen.packages))
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


def _row(package: Package) -> tuple[str, ...]:
    return tuple(str(getattr(package, column.name)) for column in _COLUMNS)


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
