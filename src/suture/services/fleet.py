"""The enrolled hosts, and what was seen on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import asdict, replace

from suture.core.documents import Document
from suture.core.inventory import Criticality, Exposure, Host, Inventory
from suture.hosts.transport import HostError, HostFailure
from suture.services import policies
from suture.services.collecting import Collected, clock, nonce
from suture.services.errors import NotFoundError, ServiceError
from suture.services.files import read_at_most
from suture.services.targets import parse_target
from suture.services.workspace import Workspace
from suture.store import changelogs, events, hosts, inventories, observations
from suture.store.database import Store, open_store, query_of
from suture.store.knowledge import StoredChangelog

if TYPE_CHECKING:
    from suture.hosts.transport.connector import Connector
    from suture.hosts.transport.settings import Ask

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,252}")


class Changes(Document, frozen=True):
    """Names of hosts by what became of them; ``differences`` say in words what changed, ``shared``
    which of them are at an address that another name has as well."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


class Details(Document, frozen=True):
    """A host, and when and how it was last seen."""

    host: Host
    seen_at: datetime | None = None
    fingerprints: tuple[str, ...] = ()
    inventory: Inventory | None = None


class Reached(Document, frozen=True):
    """The result of a test: what is there, or what is missing."""

    host: str
    summary: str = ""
    failure: HostFailure | None = None


@contextmanager
def opened(workspace: Workspace) -> Iterator[Store]:
    """The installation's database, created or upgraded where needed."""
    workspace.prepare()
    store = open_store(workspace.database)
    try:
        yield store
    finally:
        store.close()


def enrol(
    workspace: Workspace,
    target: str,
    *,
    name: str,
    key: str | None,
    jump: str | None,
    labels: tuple[str, ...] | None,
    service: str | None,
    criticality: str | None,
    exposure: str | None,
    ring: str | None,
) -> Changes:
    """Enrol a host from what a person typed, or change the one of that name; raises
    :class:`ServiceError` naming the wrong word.

    None leaves a field as it is, or at its default; an empty word empties it.
    """
    for what, words in (("label", labels or ()), ("service", (service,)), ("ring", (ring,))):
        for word in words:
            if word and not _WORD.fullmatch(word):
                raise ServiceError(f"not a {what}: {word!r:.80}", "Use letters, digits, . _ -")
    if name and not _NAME.fullmatch(name):
        raise ServiceError(f"not a host name: {name!r:.80}", "Use letters, digits, . _ : @ -")
    host = parse_target(target, jump=jump or None)
    host = replace(host, name=name or host.address)
    with opened(workspace) as store, store.read() as connection:
        known = hosts.get(connection, host.name) or host
    try:
        given = {
            "key": key and _key_file(key),
            "jump": jump,
            "labels": None if labels is None else tuple(filter(None, labels)),
            "service": service,
            "criticality": None if criticality is None else Criticality(criticality),
            "exposure": None if exposure is None else Exposure(exposure),
            "ring": ring,
        }
    except ValueError as error:
        choices = f"{', '.join(Criticality)}; exposure: {', '.join(Exposure)}"
        raise ServiceError(str(error), f"Criticality: {choices}.") from None
    changed = {field: None if to == "" else to for field, to in given.items() if to is not None}
    way = {"address": host.address, "port": host.port, "user": host.user}
    return add(workspace, (replace(known, **way, **changed),))


def _key_file(path: str) -> str:
    file = Path(path).expanduser().absolute()
    if not file.is_file():
        raise ServiceError(
            f"no private key file {path}",
            "Name the file of a private key, or leave --key out to use the SSH agent.",
        )
    return str(file)


def add(workspace: Workspace, new: Iterable[Host]) -> Changes:
    """Enrol hosts, or replace enrolled ones of the same names."""
    names: dict[str, list[str]] = {"added": [], "changed": [], "unchanged": []}
    differences: list[str] = []
    now = clock()
    with opened(workspace) as store, store.begin() as connection:
        for host in new:
            known = hosts.get(connection, host.name)
            what = hosts.save(connection, host, now)
            names[what].append(host.name)
            if known is not None and what == "changed":
                differences.append(_difference(known, host))
            if what != "unchanged":
                events.append(
                    connection,
                    at=now,
                    kind=f"host.{what}",
                    subject=host.name,
                    host=host.name,
                    data=host,
                )
        shared = _shared(hosts.listing(connection), {*names["added"], *names["changed"]})
    return Changes(
        **{what: tuple(each) for what, each in names.items()},
        differences=tuple(differences),
        shared=shared,
    )


def _shared(enrolled: Iterable[Host], fresh: set[str]) -> tuple[str, ...]:
    """One machine under two names would be patched, and counted, as two. Behind another jump host
    the same address is another machine's."""
    names: dict[tuple[str, int, str | None], list[str]] = {}
    for host in enrolled:
        names.setdefault((host.address.lower(), host.port, host.jump), []).append(host.name)
    return tuple(
        f"{', '.join(same)}: all at {address}:{port}"
        for (address, port, _), same in names.items()
        if len(same) > 1 and not fresh.isdisjoint(same)
    )


def _difference(before: Host, after: Host) -> str:
    """``web1: port 22 → 2222, ring none → canary``"""
    old, new = asdict(before), asdict(after)
    return f"{after.name}: " + ", ".join(
        f"{field} {_word(old[field])} → {_word(to)}"
        for field, to in new.items()
        if to != old[field]
    )


def _word(value: object) -> str:
    words = value if isinstance(value, tuple) else (value,)
    return " ".join(str(word) for word in words if word is not None) or "none"


def import_ansible(workspace: Workspace, file: Path) -> tuple[Changes, tuple[str, ...]]:
    """Enrol the hosts of an inventory file; ``-`` is standard input. Answers the warnings too."""
    from suture.imports import ansible

    data = read_at_most(file, ansible.MAX_BYTES)
    name = "standard input" if str(file) == "-" else str(file)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ServiceError(
            f"{name}: not UTF-8 text (byte {error.start})",
            "Give an Ansible inventory, INI or YAML.",
        ) from None
    imported = ansible.parse(text, name=name)
    return add(workspace, imported.hosts), imported.warnings


def listing(workspace: Workspace, labels: Sequence[str] = ()) -> tuple[Details, ...]:
    """The enrolled hosts that have all of ``labels``."""
    with opened(workspace) as store, store.read() as connection:
        seen = observations.last_seen(query_of(connection))
        found = [host for host in hosts.listing(connection) if set(labels) <= set(host.labels)]
    return tuple(Details(host, seen.get(host.name)) for host in found)


def details(workspace: Workspace, name: str) -> Details:
    from suture.services.connections import known_hosts

    with opened(workspace) as store, store.read() as connection:
        host = _get(hosts.get(connection, name), name)
        inventory = observations.latest(query_of(connection), (name,)).get(name)
    keys = known_hosts(workspace).fingerprints(host.address, host.port)
    return Details(host, inventory.collected_at if inventory else None, keys, inventory)


def remove(workspace: Workspace, names: Sequence[str]) -> None:
    """Raises :class:`NotFoundError` for a name that is not enrolled; then none is removed."""
    with opened(workspace) as store, store.begin() as connection:
        for name in names:
            if not hosts.remove(connection, name):
                raise _unknown(name)
            events.append(connection, at=clock(), kind="host.removed", subject=name, host=name)


def chosen(
    workspace: Workspace, *, names: Sequence[str] = (), labels: Sequence[str] = ()
) -> tuple[Host, ...]:
    """Enrolled hosts by name and label; all where neither is given. Never empty."""
    with opened(workspace) as store, store.read() as connection:
        all_hosts = {host.name: host for host in hosts.listing(connection)}
    found = [_get(all_hosts.get(name), name) for name in names] or list(all_hosts.values())
    found = [host for host in found if set(labels) <= set(host.labels)]
    if not found and all_hosts:
        raise NotFoundError(
            f"{'none of these hosts' if names else 'no enrolled host'} has the labels "
            f"{', '.join(labels)}",
            "See the labels that there are: suture hosts list",
        )
    if not found:
        raise NotFoundError("no hosts are enrolled", "Enrol one: suture hosts add user@host")
    return tuple(found)


def record(
    store: Store,
    collected: Iterable[Collected],
    found: Iterable[StoredChangelog],
    now: datetime,
) -> None:
    """Keep what was seen, and that a host could not be seen."""
    with store.begin() as connection:
        changelogs.save(connection, found, now)
        for one in collected:
            if one.inventory is not None:
                inventories.record(connection, one.inventory)
                data: Document | None = None
            else:
                data = one.failure
            events.append(
                connection,
                at=now,
                kind="host.seen" if one.inventory else "host.not-seen",
                subject=one.host.name,
                host=one.host.name,
                data=data or {"package_set": one.inventory and one.inventory.packages.digest},
            )


async def test(
    workspace: Workspace,
    names: Sequence[str],
    *,
    ask: Ask | None,
    accept_new: bool,
    forget_key: bool,
) -> tuple[Reached, ...]:
    """Reach hosts as root and look for what patching needs; nothing is changed there."""
    import asyncio

    from suture.services.connections import connector, known_hosts

    found = chosen(workspace, names=names)
    if forget_key:
        if not names:
            raise ServiceError("--forget-key needs the names of hosts", "Name each of them.")
        for host in found:
            known_hosts(workspace).forget(host.address, host.port)
    policy, _ = policies.load(workspace)
    ways = connector(workspace, ask=ask, accept_new=accept_new, concurrency=policy.concurrency)
    async with ways:
        return tuple(await asyncio.gather(*(_reach(ways, host) for host in found)))


async def _reach(ways: Connector, host: Host) -> Reached:
    from suture.hosts import facts

    try:
        async with ways.connect(host) as transport:
            seen = await facts.collect(transport, host, now=clock, nonce=nonce())
    except HostError as error:
        return Reached(host.name, failure=error.failure)
    notes = f"; {'; '.join(seen.notes)}" if seen.notes else ""
    return Reached(
        host.name,
        f"{seen.os.title}, {len(seen.packages.packages)} packages, "
        f"clock {seen.clock.skew_s:+.1f} s{notes}",
    )


def _get(host: Host | None, name: str) -> Host:
    if host is None:
        raise _unknown(name)
    return host


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"no host {name!r} is enrolled", "List them: suture hosts list")
