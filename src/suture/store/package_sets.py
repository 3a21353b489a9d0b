"""Package sets as arrays of numbers: each distinct package is stored once for the fleet."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate
from operator import sub
from typing import Any

from suture.core.inventory import Package, PackageSet, PackageState
from suture.store.query import Query, marks, parts

_ALL = 20_000  # from so many packages on the whole table is read instead
_PACKAGES = "SELECT id, name, arch, version, source, source_version, state, module FROM packages"


def pack(numbers: Iterable[int]) -> bytes:
    """Differences of one to the next, as little-endian 32-bit integers, compressed."""
    some = list(numbers)
    differences = map(sub, some, (0, *some))
    return zlib.compress(struct.pack(f"<{len(some)}i", *differences), 1)


def unpack(packed: bytes) -> list[int]:
    """The numbers that :func:`pack` was given."""
    raw = zlib.decompress(packed)
    return list(accumulate(struct.unpack(f"<{len(raw) // 4}i", raw)))


def load(query: Query, digests: Collection[str]) -> dict[str, PackageSet]:
    """Package sets by digest; clones share one, read once."""
    ids = {
        digest: unpack(packed)
        for part in parts(sorted(digests))
        for digest, packed in query(
            f"SELECT digest, ids FROM package_sets WHERE digest IN {marks(part)}", *part
        )
    }
    known = by_id(query, sorted(set().union(*ids.values())))
    made = {digest: PackageSet(tuple(known[one] for one in some)) for digest, some in ids.items()}
    for digest, one in made.items():
        vars(one)["digest"] = digest  # it need not be worked out again
    return made


def by_id(query: Query, ids: Sequence[int]) -> dict[int, Package]:
    """Packages by id."""
    if len(ids) > _ALL:
        return {row[0]: _package(row) for row in query(_PACKAGES)}
    return {
        row[0]: _package(row)
        for part in parts(ids)
        for row in query(f"{_PACKAGES} WHERE id IN {marks(part)}", *part)
    }


def _package(row: Sequence[Any]) -> Package:
    _, name, arch, version, source, source_version, state, module = row
    return Package(name, arch, version, source, source_version, PackageState(state), module)
