"""Inventories and changelogs of many hosts at once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from suture.core import versions
from suture.core.documents import Document
from suture.core.inventory import Host, Inventory
from suture.hosts import changelogs, facts, indexes
from suture.hosts.changelogs import Binary, ChangelogWanted
from suture.hosts.transport import HostError, HostFailure
from suture.store.knowledge import ChangelogKey, StoredChangelog

if TYPE_CHECKING:
    from suture.hosts.transport.connector import Connector

Progress = Callable[[str, str], None]
"""Called with a host's name and what is being done there."""


class Collected(Document, frozen=True):
    """What one host gave: an inventory, or the reason why there is none."""

    host: Host
    inventory: Inventory | None = None
    failure: HostFailure | None = None


class Changelogs(Document, frozen=True):
    """Changelogs by key, and for those that could not be read the reason."""

    read: tuple[StoredChangelog, ...]
    unreadable: Mapping[ChangelogKey, str]


def clock() -> datetime:
    return datetime.now(UTC)


def nonce() -> str:
    """For the section marks of one run on a host, which the host must not foresee."""
    return secrets.token_hex(16)


async def collect(
    connector: Connector,
    hosts: Sequence[Host],
    *,
    refresh: bool,
    progress: Progress,
    before: Mapping[str, Inventory] | None = None,
) -> tuple[Collected, ...]:
    """One :class:`Collected` a host, in the same order; failures are values. ``before`` are
    inventories by the host's name, whose packages a host need not tell again."""
    known = before or {}
    work = (_collect(connector, host, refresh, progress, known.get(host.name)) for host in hosts)
    return tuple(await asyncio.gather(*work))


async def _collect(
    connector: Connector, host: Host, refresh: bool, progress: Progress, before: Inventory | None
) -> Collected:
    note = ""
    try:
        progress(host.name, "connecting")
        async with connector.connect(host) as transport:
            if refresh:
                progress(host.name, "refreshing package lists")
                refreshed = await indexes.refresh_indexes(transport, nonce=nonce())
                note = "" if refreshed.refreshed else f"lists not refreshed: {refreshed.reason}"
            progress(host.name, "collecting")
            inventory = await facts.collect(
                transport, host, now=clock, nonce=nonce(), before=before
            )
    except HostError as error:
        progress(host.name, "failed")
        return Collected(host=host, failure=error.failure)
    progress(host.name, "collected")
    if note:
        inventory = replace(inventory, notes=(*inventory.notes, note))
    return Collected(host=host, inventory=inventory)


def wanted_changelogs(inventory: Inventory) -> tuple[ChangelogWanted, ...]:
    """The newest changelog of each source package that a security archive updates."""
    installed = {package.key: package.source_version for package in inventory.packages.packages}
    newest: dict[str, str] = {}
    oldest: dict[str, str] = {}
    binaries: dict[tuple[str, str], dict[str, Binary]] = {}
    for update in inventory.updates:
        if not any(version.is_security for version in update.versions):
            continue
        for version in update.versions:
            source, to = version.source, version.source_version
            since = installed.get(update.key, update.installed)
            newest[source] = max(newest.get(source, to), to, key=versions.key)
            oldest[source] = min(oldest.get(source, since), since, key=versions.key)
            binaries.setdefault((source, to), {})[version.key] = Binary(
                name=version.name, arch=version.arch, version=version.version, size=version.size
            )
    return tuple(
        ChangelogWanted(
            source=source,
            version=to,
            since=oldest[source],
            binaries=tuple(binaries[(source, to)].values()),
        )
        for source, to in newest.items()
    )


async def fetch_changelogs(
    connector: Connector,
    collected: Iterable[Collected],
    known: Iterable[StoredChangelog],
    progress: Progress,
) -> Changelogs:
    """What is not ``known``, or not known far enough back: each from one host that offers it."""
    reach = {(one.release, one.source, one.version): one.since for one in known}
    chosen: dict[ChangelogKey, tuple[Host, ChangelogWanted]] = {}
    for one in collected:
        if one.inventory is None:
            continue
        for wanted in wanted_changelogs(one.inventory):
            key = (one.inventory.os.release, wanted.source, wanted.version)
            since = chosen[key][1].since if key in chosen else reach.get(key)
            if since is None or versions.compare(wanted.since, since) < 0:
                chosen[key] = (one.host, wanted)
    work: dict[str, tuple[Host, list[ChangelogKey]]] = {}
    for key, (host, _) in chosen.items():
        work.setdefault(host.name, (host, []))[1].append(key)
    answers = await asyncio.gather(
        *(
            _fetch(connector, host, {key: chosen[key][1] for key in keys}, progress)
            for host, keys in work.values()
        )
    )
    return Changelogs(
        read=tuple(one for answer in answers for one in answer.read),
        unreadable={key: why for answer in answers for key, why in answer.unreadable.items()},
    )


async def _fetch(
    connector: Connector,
    host: Host,
    wanted: Mapping[ChangelogKey, ChangelogWanted],
    progress: Progress,
) -> Changelogs:
    progress(host.name, f"reading {len(wanted)} changelogs")
    try:
        async with connector.connect(host) as transport:
            found = await changelogs.fetch_changelogs(
                transport, tuple(wanted.values()), nonce=nonce()
            )
    except HostError as error:
        progress(host.name, "failed")
        return Changelogs((), dict.fromkeys(wanted, error.failure.message))
    progress(host.name, "changelogs read")
    read, unreadable = [], {}
    for (key, asked), answer in zip(wanted.items(), found, strict=True):
        if answer.text:
            read.append(StoredChangelog(*key, since=asked.since, text=answer.text))
        else:
            unreadable[key] = answer.failure
    return Changelogs(tuple(read), unreadable)
