"""What was seen on hosts, to be read: each host's inventories over time."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from suture.core.documents import decode
from suture.core.inventory import Identity, Inventory, OperatingSystem, PackageSet
from suture.store import package_sets
from suture.store.query import Query, marks, moment, parts


def latest(query: Query, hosts: Collection[str] | None = None) -> dict[str, Inventory]:
    """The newest observation of each host, or of ``hosts``, by the host's name."""
    return _inventories(query, None, hosts)


def at(query: Query, when: datetime, hosts: Collection[str] | None = None) -> dict[str, Inventory]:
    """What was known of each host's packages at a time, by the host's name.

    What else the inventory tells is as it was seen last while the packages were these, which may
    be later than ``when``.
    """
    return _inventories(query, when, hosts)


def unchanged_since(query: Query) -> dict[str, datetime]:
    """Since when each host has had the packages that it was last seen with."""
    rows = query("SELECT host, max(seen_from) FROM observations GROUP BY host")
    return {host: moment(since) for host, since in rows}


def first_seen(query: Query) -> dict[str, datetime]:
    rows = query("SELECT host, min(seen_from) FROM observations GROUP BY host")
    return {host: moment(since) for host, since in rows}


def last_seen(query: Query) -> dict[str, datetime]:
    """When each host was seen last."""
    return {host: moment(until) for host, until in newest(query, "host, seen_until")}


class _System(msgspec.Struct):
    os: OperatingSystem
    arch: str


def systems(query: Query) -> dict[str, tuple[str, str, str]]:
    """Release, architecture and digest of the packages of each host, as it was last seen."""
    rows = newest(query, "host, inventory, package_set")
    known = {host: (decode(zlib.decompress(seen), _System), digest) for host, seen, digest in rows}
    return {host: (one.os.release, one.arch, digest) for host, (one, digest) in known.items()}


class _Known(msgspec.Struct):
    identity: Identity | None = None


def identities(query: Query) -> dict[str, Identity]:
    """By what other scanners may know each host, as it was last seen."""
    rows = newest(query, "host, inventory")
    known = {host: decode(zlib.decompress(seen), _Known) for host, seen in rows}
    return {host: one.identity for host, one in known.items() if one.identity is not None}


class _Managed(msgspec.Struct):
    package_manager: str


def managers(query: Query, hosts: Collection[str], when: datetime | None = None) -> dict[str, str]:
    """The package manager of each of ``hosts``, as it was last seen, or as known at a time."""
    return {
        host: decode(zlib.decompress(seen), _Managed).package_manager
        for host, seen in newest(query, "host, inventory", when, hosts)
    }


def _inventories(
    query: Query, when: datetime | None, hosts: Collection[str] | None
) -> dict[str, Inventory]:
    rows = newest(query, "host, inventory, package_set", when, hosts)
    loaded = package_sets.load(query, {digest for _, _, digest in rows})
    reader = _Reader()
    return {
        host: reader.inventory(zlib.decompress(seen), loaded[digest]) for host, seen, digest in rows
    }


# Most of what an inventory says; hosts made alike say it in the same words.
_LONG = ("automatic", "updates", "installable", "archives", "listeners", "services")


class _Reader:
    """What several inventories say at length, in the same words, is decoded once."""

    def __init__(self) -> None:
        fields = {field.name: field for field in msgspec.structs.fields(Inventory)}
        del fields["packages"]
        parts = [
            (name, msgspec.Raw if name in _LONG else one.type, one.default)
            if not one.required
            else (name, msgspec.Raw if name in _LONG else one.type)
            for name, one in fields.items()
        ]
        self._names = tuple(fields)
        self._parts = msgspec.json.Decoder(msgspec.defstruct("Parts", parts))
        self._long = {name: msgspec.json.Decoder(fields[name].type).decode for name in _LONG}
        self._known: dict[str, dict[bytes, Any]] = {name: {} for name in _LONG}

    def inventory(self, document: bytes, packages: PackageSet) -> Inventory:
        parts = self._parts.decode(document)
        told = {name: getattr(parts, name) for name in self._names}
        for name, read in self._long.items():
            known, text = self._known[name], bytes(told[name])
            if text not in known:
                known[text] = read(text)
            told[name] = known[text]
        return Inventory(packages=packages, **told)


def newest(
    query: Query,
    columns: str,
    when: datetime | None = None,
    hosts: Collection[str] | None = None,
) -> list[Sequence[Any]]:
    """``columns`` of the newest observation of each host, or of ``hosts``, of those that had begun
    at a time. Of two at once both, the later behind the other, for it counts."""
    begun, at_a_time = ("true", ()) if when is None else ("seen_from <= ?", (when,))
    asked: Iterable[tuple[str, list[str]]] = [("true", [])]
    if hosts is not None:
        asked = ((f"host IN {marks(some)}", some) for some in parts(hosts))
    return [
        row
        for among, names in asked
        for row in query(
            f"SELECT {columns} FROM observations WHERE (host, seen_until) IN (SELECT host, "
            f"max(seen_until) FROM observations WHERE {begun} AND {among} GROUP BY host) "
            "ORDER BY id",
            *at_a_time,
            *names,
        )
    ]
