"""Inventories and changelogs of many hosts at once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from suture.core import versions
from suture.core.documents import Document
from suture.core.inventory import AvailableVersion, Host, Inventory, Update
from suture.hosts import changelogs, facts, indexes
from suture.hosts.changelogs import Binary, ChangelogFound, ChangelogWanted
from suture.hosts.transport import HostError, HostFailure
from suture.hosts.transport.connector import Connector

SourceVersion = tuple[str, str]
"""(source package, source version)"""


class Collected(Document, frozen=True):
    """What one host gave: an inventory, or the reason why there is none."""

    host: Host
    inventory: Inventory | None = None
    failure: HostFailure | None = None


Progress = Callable[[str, str], None]
"""Called with a host's name and what is being done there."""


def clock() -> datetime:
    return datetime.now(UTC)


async def collect(
    connector: Connector, hosts: Sequence[Host], *, refresh: bool, progress: Progress
) -> tuple[Collected, ...]:
    """One :class:`Collected` a host, in the same order; failures are values."""
    return tuple(
        await asyncio.gather(*(_collect(connector, host, refresh, progress) for host in hosts))
    )


async def _collect(
    connector: Connector, host: Host, refresh: bool, progress: Progress
) -> Collected:
    try:
        progress(host.name, "connecting")
        async with connector.connect(host) as transport:
            note = ""
            if refresh:
                progress(host.name, "refreshing package lists")
                refreshed = await indexes.refresh_indexes(transport, nonce=secrets.token_hex(16))
                note = "" if refreshed.refreshed else f"lists not refreshed: {refreshed.reason}"
            progress(host.name, "collecting")
            inventory = await facts.collect(transport, host, now=clock, nonce=secrets.token_hex(16))
    except HostError as error:
        progress(host.name, "failed")
        return Collected(host=host, failure=error.failure)
    progress(host.name, "collected")
    return Collected(host=host, inventory=_with_note(inventory, note))


def _with_note(inventory: Inventory, note: str) -> Inventory:
    import msgspec

    if not note:
        return inventory
    return msgspec.structs.replace(inventory, notes=(*inventory.notes, note))


def wanted_changelogs(inventory: Inventory) -> dict[SourceVersion, ChangelogWanted]:
    """One changelog for each source package with a newer version on offer."""
    newest: dict[str, str] = {}
    binaries: dict[SourceVersion, dict[str, Binary]] = {}
    since: dict[str, str] = {}
    installed = {package.key: package.source_version for package in inventory.packages.packages}
    for update in inventory.updates:
        if not any(version.is_security for version in update.versions):
            continue
        current = installed.get(update.key, update.installed)
        oldest = since.get(update.source)
        if oldest is None or versions.compare(current, oldest) < 0:
            since[update.source] = current
        for version in update.versions:
            known = newest.get(version.source)
            if known is None or versions.compare(version.source_version, known) > 0:
                newest[version.source] = version.source_version
            _add(binaries, version)
    return {
        (source, version): ChangelogWanted(
            source=source,
            version=version,
            since=since.get(source, "0"),
            binaries=tuple(binaries[(source, version)].values()),
        )
        for source, version in newest.items()
    }


def _add(binaries: dict[SourceVersion, dict[str, Binary]], version: AvailableVersion) -> None:
    place = binaries.setdefault((version.source, version.source_version), {})
    place[version.key] = Binary(
        name=version.name, arch=version.arch, version=version.version, size=version.size
    )


async def fetch_changelogs(
    connector: Connector,
    collected: Iterable[Collected],
    known: Mapping[SourceVersion, str],
    progress: Progress,
) -> dict[SourceVersion, ChangelogFound]:
    """Each changelog not ``known`` yet, fetched once, from the first host that offers it."""
    assigned: dict[str, tuple[Host, list[ChangelogWanted]]] = {}
    taken = set(known)
    for one in collected:
        if one.inventory is None:
            continue
        for key, wanted in wanted_changelogs(one.inventory).items():
            if key not in taken:
                taken.add(key)
                assigned.setdefault(one.host.name, (one.host, []))[1].append(wanted)
    answers = await asyncio.gather(
        *(_fetch(connector, host, wanted, progress) for host, wanted in assigned.values())
    )
    return {(each.source, each.version): each for answer in answers for each in answer}


async def _fetch(
    connector: Connector, host: Host, wanted: Sequence[ChangelogWanted], progress: Progress
) -> tuple[ChangelogFound, ...]:
    progress(host.name, f"reading {len(wanted)} changelogs")
    try:
        async with connector.connect(host) as transport:
            found = await changelogs.fetch_changelogs(
                transport, wanted, nonce=secrets.token_hex(16)
            )
    except HostError as error:
        found = tuple(
            ChangelogFound(source=one.source, version=one.version, failure=error.failure.message)
            for one in wanted
        )
    progress(host.name, "changelogs read")
    return found


def updates_by_source(inventory: Inventory) -> dict[str, list[Update]]:
    grouped: dict[str, list[Update]] = {}
    for update in inventory.updates:
        grouped.setdefault(update.source, []).append(update)
    return grouped
