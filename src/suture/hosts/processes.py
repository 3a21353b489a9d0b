"""Processes, sockets and services of a host, read from the collection's sections."""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from suture.core.inventory import Listener, Service, StaleProcess, Updater
from suture.hosts.sections import Reading
from suture.hosts.text import clean

_PID = re.compile(r"pid=(\d{1,10}),")
_OWNERS = re.compile(r"(?P<names>[A-Za-z0-9_][A-Za-z0-9_+.:, -]*)(?:\.list:|: )(?P<path>/.*)")
_UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]{1,255}")
_CRONS = frozenset({"cron-apt", "apticron", "yum-cron"})
_UPDATERS = frozenset(
    {
        "apt-daily.timer",
        "apt-daily-upgrade.timer",
        "unattended-upgrades.service",
        "packagekit.service",
        "packagekit-offline-update.service",
        "landscape-client.service",
        "dnf-automatic.timer",
        "dnf-automatic-install.timer",
        "dnf5-automatic.timer",
    }
)


@dataclass(frozen=True)
class Process:
    """``unit`` is the innermost systemd unit of the system's own manager, or empty."""

    command: str
    unit: str


@dataclass(frozen=True)
class ProcessFacts:
    """The part of an inventory that is about what runs; fields as in ``Inventory``."""

    stale: tuple[StaleProcess, ...]
    listeners: tuple[Listener, ...]
    services: tuple[Service, ...]
    updaters: tuple[Updater, ...]


def read_processes(reading: Reading) -> ProcessFacts:
    processes = dict(reading.each("processes", _process))
    services, updaters = _services(reading)
    return ProcessFacts(
        stale=_stale(reading, processes),
        listeners=_listeners(reading, processes),
        services=services,
        updaters=updaters,
    )


def unit_of(cgroup: str) -> str:
    """The unit in a control group's path: its service, else its scope, else nothing.

    A user's own services lie inside ``user@1000.service``, which is the unit that the system
    knows; a container's are preceded by the container's own.
    """
    parts = [part for part in cgroup.split("/") if _UNIT.fullmatch(part)]
    if "payload" in parts:
        parts = parts[parts.index("payload") + 1 :]
    for suffix in (".service", ".scope"):
        for part in parts:
            if part.endswith(suffix):
                return part
    return ""


def _process(line: str) -> tuple[int, Process]:
    pid, cgroup, command = line.split("\t", 2)
    return _pid(pid), Process(command=clean(command, 64), unit=unit_of(cgroup))


def _pid(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise ValueError("not a process id")
    return int(text)


def _stale(reading: Reading, processes: Mapping[int, Process]) -> tuple[StaleProcess, ...]:
    owners = _owners(reading)

    def parse(line: str) -> StaleProcess | None:
        number, path = line.split(" ", 1)
        pid = _pid(number)
        process = processes.get(pid)
        if process is None:  # of a container, or gone meanwhile
            return None
        path = re.sub(r"(\.dpkg-(new|tmp)|;[0-9a-f]{8})$", "", path)
        return StaleProcess(
            pid=pid,
            command=process.command,
            unit=process.unit,
            path=clean(path, 500),
            package=owners.get(path, ""),
        )

    return tuple(sorted(set(reading.each("stale", parse)), key=lambda one: (one.pid, one.path)))


def _owners(reading: Reading) -> dict[str, str]:
    """Package by path, each path under both of its names where ``/usr`` is merged. A line is of
    ``dpkg-query -S`` or ``rpm -qf``, or of a search in the lists that dpkg keeps."""
    found: dict[str, str] = {}
    for line in reading.lines("owners"):
        match = _OWNERS.fullmatch(line)
        if match is None or line.startswith("diversion by "):
            continue
        name = match["names"].split(", ")[0]
        path = match["path"]
        found[path] = name
        found[path.removeprefix("/usr") if path.startswith("/usr/") else f"/usr{path}"] = name
    return found


def _listeners(reading: Reading, processes: Mapping[int, Process]) -> tuple[Listener, ...]:
    """Sockets whose process is the host's own: with a shared network there are others."""
    sockets = reading.each("sockets", _socket) + _sockets_of_proc(reading)
    found: dict[tuple[str, str, int], Listener] = {}
    for protocol, address, port, pids in sockets:
        process = next((processes[pid] for pid in sorted(pids) if pid in processes), None)
        if process is not None:
            found[protocol, address, port] = Listener(
                protocol=protocol,
                address=address,
                port=port,
                process=process.command,
                unit=process.unit if process.unit.endswith(".service") else "",
            )
    return tuple(found[key] for key in sorted(found))


_Socket = tuple[str, str, int, tuple[int, ...]]


def _socket(line: str) -> _Socket | None:
    """A line of ``ss -lntupH``."""
    protocol, _, _, _, local, *_ = line.split()
    pids = tuple(int(pid) for pid in _PID.findall(line))
    if not pids:
        return None
    address, _, port = local.rpartition(":")
    return _checked_protocol(protocol), _address(address), _port(int(port)), pids


def _checked_protocol(text: str) -> str:
    if text not in ("tcp", "udp"):
        raise ValueError("not a protocol")
    return text


def _address(text: str) -> str:
    text = text.strip("[]").partition("%")[0].rstrip("]")
    return "::" if text == "*" else str(ipaddress.ip_address(text))


def _port(number: int) -> int:
    if not 0 < number < 65536:
        raise ValueError("not a port")
    return number


def _sockets_of_proc(reading: Reading) -> list[_Socket]:
    """Sockets from ``/proc/net``, where there is no ``ss``."""
    pids: dict[str, list[int]] = {}
    for line in reading.lines("socket-owners"):
        pid, _, inode = line.partition(" ")
        if pid.isascii() and pid.isdigit() and len(pid) <= 10:
            pids.setdefault(inode, []).append(int(pid))

    def parse(line: str) -> _Socket | None:
        kind, local, inode = line.split(" ")
        address, _, port = local.partition(":")
        if inode not in pids:
            return None
        protocol = _checked_protocol(kind.removesuffix("6"))
        return protocol, _hex_address(address), _port(int(port, 16)), tuple(pids[inode])

    return reading.each("sockets-proc", parse)


def _hex_address(text: str) -> str:
    """The kernel prints addresses as 32-bit words in the machine's byte order."""
    raw = bytes.fromhex(text)
    if sys.byteorder == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return str(ipaddress.ip_address(raw))


def _services(reading: Reading) -> tuple[tuple[Service, ...], tuple[Updater, ...]]:
    enabled = _enabled(reading)
    services: list[Service] = []
    updaters: dict[str, Updater] = {}
    for name, active, sub in reading.each("units", _unit):
        if name in _UPDATERS:
            runs = active in ("active", "activating", "reloading")
            updaters[name] = Updater(name=name, active=runs, enabled=name in enabled)
        if name.endswith(".service"):
            said = "enabled" if name in enabled else ""
            services.append(Service(unit=name, active=active, sub=sub, enabled=said))
    for name in (_UPDATERS & enabled) - updaters.keys():
        updaters[name] = Updater(name=name, active=False, enabled=True)
    for name in _CRONS.intersection(reading.lines("crons")):
        updaters[name] = Updater(name=name, active=True, enabled=True)
    return (
        tuple(sorted(services, key=lambda one: one.unit)),
        tuple(sorted(updaters.values(), key=lambda one: one.name)),
    )


def _unit(line: str) -> tuple[str, str, str] | None:
    """A line of ``systemctl list-units``: the name, and its active and sub state."""
    name, load, active, sub, *_ = line.split()
    if not _UNIT.fullmatch(name):
        raise ValueError("not a unit")
    return None if load == "not-found" else (name, clean(active, 40), clean(sub, 40))


def _enabled(reading: Reading) -> set[str]:
    """Units that a target or another unit pulls in, or that have an alias: by links to them in
    the directories of systemd's configuration. A link to nothing masks its unit."""
    found, masked = set(), set()
    for place, target in reading.each("links", _link):
        parent, name = place.rsplit("/", 1)
        if target == "/dev/null":
            masked.add(name)
        elif parent.endswith((".wants", ".requires", ".upholds")):
            found.add(name)
        else:
            found.add(target.rpartition("/")[2])
    return found - masked


def _link(line: str) -> tuple[str, str]:
    place, target = line.split(" ")
    if not place.startswith("/"):
        raise ValueError("not a path")
    return place, target
