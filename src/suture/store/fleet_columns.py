"""What was seen of many hosts at once, as columns; no host is looked at by itself.

Apart from :mod:`suture.store.inventories`, so that who asks about single hosts need not wait for
numpy.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from suture.core.assessment.fleet import Fleet
from suture.core.assessment.history import Observed, Presence, unbroken
from suture.core.documents import decode
from suture.core.intelligence import channels
from suture.core.inventory import OperatingSystem, Origin
from suture.store import package_sets
from suture.store.inventories import newest, of_hosts
from suture.store.tables import observations, packages
from suture.store.tables import package_sets as sets

Ids = NDArray[np.int32]


def fleet(connection: sa.Connection, when: datetime | None = None) -> Fleet:
    """The packages that count of every host seen, now or as known at a time, as columns.

    Of inventories only what tells on which minor release a host stays is read, where it may.
    """
    query = newest(
        when, observations.c.host, observations.c.release, observations.c.apart, sets.c.ids
    ).join(sets, sets.c.digest == observations.c.package_set)
    rows = connection.execute(query.order_by(observations.c.host)).all()
    starts, ids = _counted(rows)
    known = package_sets.by_id(connection, _distinct(ids).tolist())
    place_of = np.zeros(max(known, default=0) + 1, np.int32)
    place_of[list(known)] = np.arange(len(known), dtype=np.int32)
    return Fleet(
        packages=tuple(known.values()),
        hosts=tuple(row.host for row in rows),
        releases=tuple(row.release for row in rows),
        starts=starts,
        ids=place_of[ids],
        streams=_streams(connection, rows, when),
    )


def presence(
    connection: sa.Connection, hosts: Collection[str], when: datetime | None = None
) -> Presence:
    """Since when ``hosts`` have had the sources that they have, now or as known at a time."""
    numbers, source_of = _sources(connection)
    names = {host: number for number, host in enumerate(sorted(hosts))}
    found = [
        unbroken(_observed(connection, part, names, source_of, when), len(numbers))
        for part in package_sets.parts(list(names))
    ]
    return Presence(
        hosts=names,
        sources=numbers,
        keys=np.concatenate([np.empty(0, np.int64), *(keys for keys, _ in found)]),
        days=np.concatenate([np.empty(0, np.int32), *(days for _, days in found)]),
    )


class _Archived(msgspec.Struct):
    os: OperatingSystem
    archives: tuple[Origin, ...]


def _streams(
    connection: sa.Connection, rows: Sequence[Any], when: datetime | None
) -> tuple[str, ...]:
    """The minor release on which each host of ``rows`` stays; empty where none does."""
    asked = [row.host for row in rows if channels.may_stay(row.release)]
    if not asked:
        return ()
    query = newest(when, observations.c.host, observations.c.inventory)
    found = of_hosts(connection, query.order_by(observations.c.id), asked)
    seen = {row.host: decode(zlib.decompress(row.inventory), _Archived) for row in found}
    streams = {host: channels.stream(one.os, one.archives) for host, one in seen.items()}
    return tuple(streams.get(row.host, "") for row in rows)


def _observed(
    connection: sa.Connection,
    hosts: Collection[str],
    names: Mapping[str, int],
    source_of: NDArray[np.int32],
    when: datetime | None,
) -> Observed:
    begun = sa.true() if when is None else observations.c.seen_from <= when
    columns = (observations.c.host, observations.c.seen_from, observations.c.apart, sets.c.ids)
    query = (
        sa.select(*columns)
        .join(sets, sets.c.digest == observations.c.package_set)
        .where(observations.c.host.in_(hosts), begun)
        .order_by(observations.c.seen_until.desc(), observations.c.id.desc())
    )
    rows = sorted(connection.execute(query), key=lambda row: names[row.host])
    starts, ids = _counted(rows)
    return Observed(
        host=np.array([names[row.host] for row in rows], np.int64),
        day=np.array([row.seen_from.date().toordinal() for row in rows], np.int32),
        starts=starts,
        source=source_of[ids].astype(np.int64),
    )


def _counted(rows: Sequence[Any]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The packages that count of each observation: where each begins (and the end), and all
    ids, one behind the other."""
    starts, ids = unpack([row.ids for row in rows])
    apart_starts, places = unpack([row.apart for row in rows])
    counts = np.ones(len(ids), bool)
    counts[places + np.repeat(starts[:-1], np.diff(apart_starts))] = False
    return np.concatenate(([0], np.cumsum(counts)))[starts], ids[counts]


def unpack(packed: Sequence[bytes]) -> tuple[NDArray[np.int64], Ids]:
    """Of many: where each begins (and the end), and all numbers, one behind the other."""
    raw = [zlib.decompress(one) for one in packed]
    starts = np.concatenate(([0], np.cumsum([len(one) // 4 for one in raw], dtype=np.int64)))
    # Sums that overflow wrap around, and their differences are right all the same.
    running = np.cumsum(np.frombuffer(b"".join(raw), "<i4"), dtype=np.int32)
    before = np.concatenate((np.zeros(1, np.int32), running))[starts[:-1]]
    return starts, running - np.repeat(before, np.diff(starts))


def _distinct(ids: Ids) -> NDArray[np.int64]:
    """Each id once, ascending."""
    return np.flatnonzero(np.bincount(ids))


def _sources(connection: sa.Connection) -> tuple[dict[str, int], Ids]:
    """Each source's number, and by package id the number of its source."""
    numbers: dict[str, int] = {}
    rows = connection.execute(sa.select(packages.c.id, packages.c.source)).all()
    of = np.zeros(max((row.id for row in rows), default=0) + 1, np.int32)
    of[[row.id for row in rows]] = [numbers.setdefault(row.source, len(numbers)) for row in rows]
    return numbers, of
