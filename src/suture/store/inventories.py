"""What was seen on hosts: a row for as long as a host's packages stayed the same."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.assessment.counted import apart
from suture.core.documents import decode, encode
from suture.core.inventory import Identity, Inventory, PackageSet
from suture.store import package_sets
from suture.store.tables import observations

_NONE = PackageSet(packages=())


def record(connection: sa.Connection, inventory: Inventory) -> None:
    """Keep an observation. The same packages as last time only extend the last row."""
    digest = inventory.packages.digest
    package_sets.save(connection, digest, inventory.packages)
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
        "apart": package_sets.pack(apart(inventory)),
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


def latest(connection: sa.Connection, hosts: Collection[str] | None = None) -> dict[str, Inventory]:
    """The newest observation of each host, or of ``hosts``, by the host's name."""
    return _inventories(connection, None, hosts)


def at(
    connection: sa.Connection, when: datetime, hosts: Collection[str] | None = None
) -> dict[str, Inventory]:
    """What was known of each host's packages at a time, by the host's name.

    What else the inventory tells is as it was seen last while the packages were these, which may
    be later than ``when``.
    """
    return _inventories(connection, when, hosts)


def unchanged_since(connection: sa.Connection) -> dict[str, datetime]:
    """Since when each host has had the packages that it was last seen with."""
    return _by_host(connection, sa.func.max(observations.c.seen_from))


def first_seen(connection: sa.Connection) -> dict[str, datetime]:
    return _by_host(connection, sa.func.min(observations.c.seen_from))


def _by_host(connection: sa.Connection, value: sa.ColumnElement[datetime]) -> dict[str, datetime]:
    query = sa.select(observations.c.host, value.label("value")).group_by(observations.c.host)
    return {row.host: row.value for row in connection.execute(query)}


class _Known(msgspec.Struct):
    identity: Identity | None = None


def identities(connection: sa.Connection) -> dict[str, Identity]:
    """By what other scanners may know each host, as it was last seen."""
    rows = connection.execute(newest(None, observations.c.host, observations.c.inventory))
    known = {row.host: decode(zlib.decompress(row.inventory), _Known) for row in rows}
    return {host: one.identity for host, one in known.items() if one.identity is not None}


class _Managed(msgspec.Struct):
    package_manager: str


def managers(
    connection: sa.Connection, hosts: Collection[str], when: datetime | None = None
) -> dict[str, str]:
    """The package manager of each of ``hosts``, as it was last seen, or as known at a time."""
    query = newest(when, observations.c.host, observations.c.inventory)
    rows = of_hosts(connection, query.order_by(observations.c.id), hosts)
    return {
        row.host: decode(zlib.decompress(row.inventory), _Managed).package_manager for row in rows
    }


def of_hosts(
    connection: sa.Connection, query: sa.Select[Any], hosts: Collection[str] | None
) -> Sequence[Any]:
    """The rows about ``hosts``, None for all."""
    if hosts is None:
        return connection.execute(query).all()
    return [
        row
        for some in package_sets.parts(list(hosts))
        for row in connection.execute(query.where(observations.c.host.in_(some)))
    ]


def _inventories(
    connection: sa.Connection, when: datetime | None, hosts: Collection[str] | None
) -> dict[str, Inventory]:
    columns = (observations.c.host, observations.c.inventory, observations.c.package_set)
    query = newest(when, *columns).order_by(observations.c.id)  # of two at once the later counts
    rows = of_hosts(connection, query, hosts)
    loaded = package_sets.load(connection, {row.package_set for row in rows})
    return {
        row.host: replace(
            decode(zlib.decompress(row.inventory), Inventory), packages=loaded[row.package_set]
        )
        for row in rows
    }


def newest(when: datetime | None, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """The newest observation of each host, of those that had begun at a time."""
    begun = sa.true() if when is None else observations.c.seen_from <= when
    newest = (
        sa.select(observations.c.host, sa.func.max(observations.c.seen_until).label("until"))
        .where(begun)
        .group_by(observations.c.host)
        .subquery()
    )
    return (
        sa.select(*columns)
        .select_from(observations)
        .join(
            newest,
            sa.and_(
                observations.c.host == newest.c.host,
                observations.c.seen_until == newest.c.until,
            ),
        )
    )
