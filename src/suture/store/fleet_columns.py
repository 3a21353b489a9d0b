"""What was seen of many hosts at once, as columns; no host is looked at by itself.

Apart from :mod:`suture.store.observations`, so that who asks about single hosts need not wait for
numpy.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from suture.core.assessment.fleet import Fleet
from suture.core.assessment.history import Observed, Presence, unbroken
from suture.core.documents import decode
from suture.core.intelligence import channels
from suture.core.inventory import OperatingSystem, Origin
from suture.store import package_sets
from suture.store.observations import newest
from suture.store.query import Query, marks, moment, parts

Ids = NDArray[np.int32]

_History = tuple[tuple[int, bytes, bytes], ...]
"""(day, packages that do not count, packages), as they are stored."""

_IDS = "(SELECT ids FROM package_sets WHERE digest = package_set)"


def fleet(query: Query, when: datetime | None = None) -> Fleet:
    """The packages that count of every host seen, now or as known at a time, as columns.

    Of inventories only what tells on which minor release a host stays is read, where it may.
    """
    rows = sorted(newest(query, f"host, release, apart, {_IDS}", when), key=itemgetter(0))
    hosts, releases = (tuple(row[place] for row in rows) for place in (0, 1))
    starts, ids = _counted(rows)
    known = package_sets.by_id(query, _distinct(ids).tolist())
    place_of = np.zeros(max(known, default=0) + 1, np.int32)
    place_of[list(known)] = np.arange(len(known), dtype=np.int32)
    return Fleet(
        packages=tuple(known.values()),
        hosts=hosts,
        releases=releases,
        starts=starts,
        ids=place_of[ids],
        streams=_streams(query, hosts, releases, when),
    )


def presence(query: Query, hosts: Collection[str], when: datetime | None = None) -> Presence:
    """Since when ``hosts`` have had the sources that they have, now or as known at a time.

    Hosts of which the same was seen on the same days have one number, and are worked out once.
    """
    numbers, source_of = _sources(query)
    known: dict[_History, int] = {}
    names = {
        host: known.setdefault(history, len(known))
        for part in parts(sorted(hosts))
        for host, history in _histories(query, part, when).items()
    }
    found = [unbroken(_observed(some, source_of), len(numbers)) for some in parts(enumerate(known))]
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
    query: Query, hosts: Sequence[str], releases: Sequence[str], when: datetime | None
) -> tuple[str, ...]:
    """The minor release on which each host stays; empty where none does."""
    asked = [
        host for host, release in zip(hosts, releases, strict=True) if channels.may_stay(release)
    ]
    if not asked:
        return ()
    found = newest(query, "host, inventory", when, asked)
    seen = {host: decode(zlib.decompress(packed), _Archived) for host, packed in found}
    streams = {host: channels.stream(one.os, one.archives) for host, one in seen.items()}
    return tuple(streams.get(host, "") for host in hosts)


def _histories(query: Query, hosts: Sequence[str], when: datetime | None) -> dict[str, _History]:
    """What was seen on each host, the newest first."""
    begun, at_a_time = ("", ()) if when is None else ("AND seen_from <= ?", (when,))
    found: dict[str, list[tuple[int, bytes, bytes]]] = {}
    for host, seen_from, apart, ids in query(
        f"SELECT host, seen_from, apart, {_IDS} FROM observations "
        f"WHERE host IN {marks(hosts)} {begun} ORDER BY seen_until DESC, id DESC",
        *hosts,
        *at_a_time,
    ):
        day = moment(seen_from).date().toordinal()
        found.setdefault(host, []).append((day, bytes(apart), bytes(ids)))
    return {host: tuple(rows) for host, rows in found.items()}


def _observed(histories: Sequence[tuple[int, _History]], source_of: NDArray[np.int32]) -> Observed:
    """Of numbered histories."""
    rows = [(number, *row) for number, history in histories for row in history]
    starts, ids = _counted(rows)
    return Observed(
        host=np.array([row[0] for row in rows], np.int64),
        day=np.array([row[1] for row in rows], np.int32),
        starts=starts,
        source=source_of[ids].astype(np.int64),
    )


def _counted(rows: Sequence[Any]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The packages that count of each observation, whose last columns are ``apart`` and ``ids``:
    where each begins (and the end), and all ids, one behind the other."""
    starts, ids = unpack([row[-1] for row in rows])
    apart_starts, places = unpack([row[-2] for row in rows])
    counts = np.ones(len(ids), bool)
    counts[places + np.repeat(starts[:-1], np.diff(apart_starts))] = False
    return np.concatenate(([0], np.cumsum(counts)))[starts], ids[counts]


def unpack(packed: Sequence[bytes]) -> tuple[NDArray[np.int64], Ids]:
    """Of many: where each begins (and the end), and all numbers, one behind the other."""
    known = {one: zlib.decompress(one) for one in set(packed)}  # clones have the same
    raw = [known[one] for one in packed]
    starts = np.concatenate(([0], np.cumsum([len(one) // 4 for one in raw], dtype=np.int64)))
    # Sums that overflow wrap around, and their differences are right all the same.
    running = np.cumsum(np.frombuffer(b"".join(raw), "<i4"), dtype=np.int32)
    before = np.concatenate((np.zeros(1, np.int32), running))[starts[:-1]]
    return starts, running - np.repeat(before, np.diff(starts))


def _distinct(ids: Ids) -> NDArray[np.int64]:
    """Each id once, ascending."""
    return np.flatnonzero(np.bincount(ids))


def _sources(query: Query) -> tuple[dict[str, int], Ids]:
    """Each source's number, and by package id the number of its source."""
    numbers: dict[str, int] = {}
    rows = list(query("SELECT id, source FROM packages"))
    of = np.zeros(max((one for one, _ in rows), default=0) + 1, np.int32)
    of[[one for one, _ in rows]] = [numbers.setdefault(source, len(numbers)) for _, source in rows]
    return numbers, of
