"""Which enrolled host a scanner means: by agent id, address or name; what is not clear is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from suture.core.documents import Document
from suture.core.inventory import Host, Identity
from suture.core.scanners.scanner import ScannerHost, address_of

# Every host has these, so that they tell none apart.
_COMMON = frozenset({"127.0.0.1", "::1", "localhost", "localhost.localdomain"})
_NOTHING = Identity((), (), ())


class Placement(Document, frozen=True):
    """``host`` is the enrolled host's name, empty where it is not clear; ``how`` says by what it
    was found, or why it was not. ``candidates`` are those between which it was not clear."""

    host: str = ""
    how: str = ""
    candidates: tuple[str, ...] = ()


class Directory:
    """The fleet by what scanners may know of it.

    ``identities`` are what the hosts say of themselves, by their names in the fleet. An agent's
    id is known from there, where a host carries it as a label, or from an earlier report that
    placed the same id by address or name (``learned``).
    """

    def __init__(
        self,
        hosts: Iterable[Host],
        identities: Mapping[str, Identity] | None = None,
        learned: Mapping[str, str] | None = None,
    ) -> None:
        self._ids: dict[str, set[str]] = {}
        self._addresses: dict[str, set[str]] = {}
        self._names: dict[str, set[str]] = {}
        self._short: dict[str, dict[str, str]] = {}
        self._enrolled = enrolled = set[str]()
        for host in hosts:
            enrolled.add(host.name)
            known = (identities or {}).get(host.name, _NOTHING)
            for id_ in (*host.labels, *known.agents):
                self._ids.setdefault(_plain(id_), set()).add(host.name)
            for said in {host.name, host.address, *known.names, *known.addresses}:
                self._add(host.name, said)
        for id_, name in (learned or {}).items():
            if name in enrolled:
                self._ids.setdefault(_plain(id_), {name})

    def _add(self, host: str, said: str) -> None:
        if address := address_of(said):
            self._addresses.setdefault(address, set()).add(host)
            return
        name = said.lower().rstrip(".")
        self._names.setdefault(name, set()).add(host)
        self._short.setdefault(name.partition(".")[0], {})[name] = host

    def place(self, seen: ScannerHost) -> Placement:
        """An agent's id goes before all else. Address and name must not contradict each other;
        where one of them fits several hosts, the other decides. What Suture ran itself is about
        the host on which it did."""
        if seen.enrolled:
            if seen.enrolled in self._enrolled:
                return Placement(seen.enrolled, "run there by Suture")
            return Placement(how="the host on which Suture ran it is not enrolled any more")
        by_id = {host for id_ in seen.ids for host in self._ids.get(_plain(id_), ())}
        if len(by_id) == 1:
            return Placement(min(by_id), "by agent id")
        by_address = self._of(self._addresses, seen.addresses)
        by_name = self._of(self._names, seen.names) or self._by_short_name(seen.names)
        said = {
            what: found
            for what, found in (("agent id", by_id), ("address", by_address), ("name", by_name))
            if found
        }
        if not said:
            return Placement(how="no enrolled host has this address, name or agent id")
        common = set.intersection(*said.values())
        if len(common) == 1:
            return Placement(min(common), f"by {' and '.join(said)}")
        if common:
            return Placement(
                how=f"several hosts have this {' and '.join(said)}", candidates=_all(common)
            )
        told = ", ".join(f"the {what} is that of {_words(found)}" for what, found in said.items())
        return Placement(how=told, candidates=_all(set.union(*said.values())))

    def _of(self, index: Mapping[str, set[str]], keys: Iterable[str]) -> set[str]:
        return {host for key in keys if key not in _COMMON for host in index.get(key, ())}

    def _by_short_name(self, names: Iterable[str]) -> set[str]:
        """``web1`` and ``web1.example.org`` are one, ``web1.example.com`` is another."""
        found = set()
        for name in names:
            short, dot, _ = name.partition(".")
            if name not in _COMMON:
                for known, host in self._short.get(short, {}).items():
                    if not dot or known == short:
                        found.add(host)
        return found


def _plain(id_: str) -> str:
    """Some write the same id with dashes and some without."""
    return id_.lower().replace("-", "").strip("{}")


def _all(hosts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(hosts))


def _words(hosts: set[str]) -> str:
    names = sorted(hosts)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
