"""What was seen on hosts: a row for as long as a host's packages stayed the same."""

from __future__ import annotations

import zlib
from datetime import datetime

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.documents import decode, encode
from suture.core.inventory import Identity, Inventory, PackageSet
from suture.store.tables import observations, package_sets

_NONE = PackageSet(packages=())


def record(connection: sa.Connection, inventory: Inventory) -> None:
    """Keep an observation. The same packages as last time only extend the last row."""
    digest = inventory.packages.digest
    _keep_package_set(connection, digest, inventory.packages)
    document = zlib.compress(encode(replace(inventory, packages=_NONE)), 3)
    last = connection.execute(
        sa.select(observations.c.id, observations.c.package_set, observations.c.seen_until)
        .where(observations.c.host == inventory.host)
        .order_by(observations.c.seen_until.desc(), observations.c.id.desc())
        .limit(1)
    ).one_or_none()
    if last is not None and last.seen_until > inventory.collected_at:
        return
    if last is not None and last.package_set == digest:
        connection.execute(
            sa.update(observations)
            .where(observations.c.id == last.id)
            .values(seen_until=inventory.collected_at, inventory=document)
        )
        return
    connection.execute(
        sa.insert(observations).values(
            host=inventory.host,
            package_set=digest,
            seen_from=inventory.collected_at,
            seen_until=inventory.collected_at,
            inventory=document,
        )
    )


def _keep_package_set(connection: sa.Connection, digest: str, packages: PackageSet) -> None:
    known = connection.execute(
        sa.select(package_sets.c.digest).where(package_sets.c.digest == digest)
    ).one_or_none()
    if known is None:
        connection.execute(
            sa.insert(package_sets).values(
                digest=digest, document=zlib.compress(encode(packages), 3)
            )
        )


def latest(connection: sa.Connection) -> dict[str, Inventory]:
    """The newest observation of each host, by the host's name."""
    newest = _newest()
    rows = connection.execute(
        sa.select(observations.c.host, observations.c.inventory, observations.c.package_set).join(
            newest, _is(newest)
        )
    ).all()
    sets = _package_sets(connection, {row.package_set for row in rows})
    return {
        row.host: replace(
            decode(zlib.decompress(row.inventory), Inventory), packages=sets[row.package_set]
        )
        for row in rows
    }


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
    newest = _newest()
    rows = connection.execute(
        sa.select(observations.c.host, observations.c.inventory).join(newest, _is(newest))
    )
    known = {row.host: decode(zlib.decompress(row.inventory), _Known) for row in rows}
    return {host: one.identity for host, one in known.items() if one.identity is not None}


def _newest() -> sa.Subquery:
    until = sa.func.max(observations.c.seen_until).label("until")
    return sa.select(observations.c.host, until).group_by(observations.c.host).subquery()


def _is(newest: sa.Subquery) -> sa.ColumnElement[bool]:
    return sa.and_(
        observations.c.host == newest.c.host, observations.c.seen_until == newest.c.until
    )


def _package_sets(connection: sa.Connection, digests: set[str]) -> dict[str, PackageSet]:
    """Clones share one: decoded once each."""
    found = {}
    ordered = sorted(digests)
    for start in range(0, len(ordered), 500):
        part = ordered[start : start + 500]
        for row in connection.execute(
            sa.select(package_sets).where(package_sets.c.digest.in_(part))
        ):
            found[row.digest] = decode(zlib.decompress(row.document), PackageSet)
    return found
