"""What a host is, in one round trip: one script, sections out of its output, an inventory.

The script reads; it writes nothing on the host, not even a temporary file. What it could not
read is said in the inventory's notes. A host that is told the stamp of what it answered before
leaves out the packages where nothing of theirs has changed, for reading them is most of its work.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import shlex
from collections.abc import Callable, Iterable
from datetime import datetime

from suture import __version__
from suture.core.inventory import (
    Clock,
    Configuration,
    Disk,
    Host,
    Identity,
    Inventory,
    Kernel,
    OperatingSystem,
    Platform,
)
from suture.hosts.managers import apt, rpm
from suture.hosts.managers.packages import PackageFacts
from suture.hosts.processes import read_processes
from suture.hosts.sections import MalformedError, Reading, check_nonce, read_sections
from suture.hosts.shell import program
from suture.hosts.text import clean
from suture.hosts.transport import FailureKind, HostError, HostFailure, Transport

TIMEOUT_S = 300.0
UNLIMITED_INODES = 2**63 - 1

_BOOT_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KERNEL = re.compile(r"[A-Za-z0-9.+~_-]{1,100}")
_SETTING = re.compile(r"([a-z]{1,40}) ([\x21-\x7e]{1,4000})")
_KNOWN_BY = {
    "name": re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){1,20}"),
    "address": re.compile(r"[0-9A-Fa-f.:]{2,45}"),
    "agent": re.compile(r"[0-9A-Fa-f-]{32,36}"),
}
_MAX_KNOWN_BY = 200
_PLATFORM = ("virtualization", "cpu", "dkms")
_STAMP = re.compile(r"[0-9a-f]{64}")
_PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")


def script(nonce: str, known: str = "") -> str:
    """The script that prints everything about a host, packed where the host can pack; without
    the packages where their stamp is ``known``."""
    values = {"nonce": check_nonce(nonce), "known": known, "reader": __version__}
    begin = program("sections", "collect", "collect-system", **values)
    more = ("collect-processes", "collect-configuration", "collect-identity", "collect-platform")
    end = program(*more, "collect-end", "sections-end")
    packages = (
        f'if [ "$manager" = apt ]; then\n{program(*apt.SCRIPTS)}else\n{program(*rpm.SCRIPTS)}fi\n'
    )
    return f"{{\n{begin}{packages}{end}}} | {{ gzip -1c 2>/dev/null || cat; }}\n"


async def collect(
    transport: Transport,
    host: Host,
    *,
    now: Callable[[], datetime],
    nonce: str,
    before: Inventory | None = None,
) -> Inventory:
    """Everything about ``host`` now. ``nonce`` is random hexadecimal, fresh for each run. What is
    as it was ``before`` is taken from there.

    Raises :class:`HostError`: UNSUPPORTED for a system that is not handled, PRIVILEGE without
    root, MALFORMED for output that no honest host prints, and what the transport raises.
    """
    started = now()
    known = before.stamp if before else ""
    result = await transport.run(script(nonce, known), timeout_s=TIMEOUT_S)
    return read_inventory(
        host, result.stdout, nonce=nonce, started=started, ended=now(), before=before
    )


def read_inventory(
    host: Host,
    output: bytes,
    *,
    nonce: str,
    started: datetime,
    ended: datetime,
    before: Inventory | None = None,
) -> Inventory:
    """The inventory in the script's output; ``started`` and ``ended`` are our own clock's.

    Raises :class:`HostError` of kind UNSUPPORTED, PRIVILEGE or MALFORMED, and nothing else.
    """
    try:
        reading = read_sections(output, nonce)
        system = _system(host, reading)
        return _inventory(host, reading, system, started, ended, before)
    except MalformedError as error:
        raise _failure(
            host,
            FailureKind.MALFORMED,
            f"the host's answer makes no sense: {clean(str(error))}",
            "Nothing of it was used. Look on the host for a full disk, a damaged package "
            "database, or a login shell that prints or runs other things; then try again.",
        ) from None


def _inventory(
    host: Host,
    reading: Reading,
    system: OperatingSystem,
    started: datetime,
    ended: datetime,
    before: Inventory | None,
) -> Inventory:
    is_rpm = "rpm" in reading.sections
    facts, stamp = _packages(reading, system, before)
    running = read_processes(reading)
    kernel = _kernel(reading, facts.kernels)
    clock = _clock(reading, started, ended)
    disks = tuple(reading.each("disks", _disk))
    required, because = _reboot(reading, kernel)
    boot_id = reading.first("boot")
    if not _BOOT_ID.fullmatch(boot_id):
        raise MalformedError("there is no boot id")
    inventory = Inventory(
        host=host.name,
        collected_at=ended,
        os=system,
        arch=facts.arch,
        foreign_archs=facts.foreign_archs,
        kernel=kernel,
        boot_id=boot_id,
        package_manager="rpm" if is_rpm else "apt",
        packages=facts.packages,
        held=facts.held,
        automatic=facts.automatic,
        third_party=facts.third_party,
        pinned=facts.pinned,
        updates=facts.updates,
        installable=facts.installable,
        archives=facts.archives,
        reboot_required=required,
        reboot_packages=because,
        stale=running.stale,
        listeners=running.listeners,
        services=running.services,
        disks=disks,
        updaters=running.updaters,
        clock=clock,
        indexes_age_s=facts.indexes_age_s,
        configuration=_configuration(reading),
        identity=_identity(reading),
        platform=_platform(reading),
        notes=tuple(reading.notes),
        stamp=stamp,
    )
    return rpm.with_reboot(inventory) if is_rpm else inventory


def _packages(
    reading: Reading, system: OperatingSystem, before: Inventory | None
) -> tuple[PackageFacts, str]:
    """The packages, and the stamp by which they are known again: none of what was not all read."""
    if "rpm" in reading.sections:
        return rpm.read_rpm(reading), ""
    stamp = _stamp(reading)
    if "unchanged" in reading.sections:
        if before is None or not stamp or stamp != before.stamp:
            raise MalformedError("it says that nothing changed since it was never asked")
        return apt.read_unchanged(reading, before), stamp
    said = len(reading.notes)
    facts = apt.read_apt(reading, system.id)
    is_whole = len(reading.notes) == said and _STAMP.fullmatch(stamp)
    return facts, stamp if is_whole else ""


def _stamp(reading: Reading) -> str:
    """As the host says it, or of what it is made of."""
    basis = "\n".join(reading.sections.get("basis", ()))
    return hashlib.sha256(basis.encode()).hexdigest() if basis.strip() else reading.first("stamp")


def _system(host: Host, reading: Reading) -> OperatingSystem:
    """The operating system, where it is one that is handled."""
    name = clean(reading.first("uname"), 40)
    system = os_release(reading)
    if name != "Linux":
        raise _failure(
            host,
            FailureKind.UNSUPPORTED,
            f"the host runs {name or 'an unknown system'}, not Linux",
            "Suture handles Debian and Ubuntu, and assesses systems that use rpm.",
        )
    if "unsupported" in reading.sections:
        raise _failure(
            host,
            FailureKind.UNSUPPORTED,
            f"{system.pretty or system.id} has no package manager that is handled",
            "Suture handles apt (Debian, Ubuntu), and assesses what rpm has installed.",
        )
    uid = reading.lines("uname")[2:3]
    if uid != ("0",):
        raise _failure(
            host,
            FailureKind.PRIVILEGE,
            "the script did not run as root",
            "Log in as root, or as a user who may use sudo without a password.",
        )
    return system


def os_release(reading: Reading) -> OperatingSystem:
    """``/etc/os-release``: shell assignments, unquoted here and never run."""
    fields: dict[str, str] = {}
    for line in reading.lines("os"):
        key, _, value = line.partition("=")
        try:
            fields[key] = clean("".join(shlex.split(value)[:1]), 100)
        except ValueError:
            reading.refuse("os", [line])
    return OperatingSystem(
        id=fields.get("ID", "linux"),
        version=fields.get("VERSION_ID", ""),
        codename=fields.get("VERSION_CODENAME", ""),
        pretty=fields.get("PRETTY_NAME", ""),
    )


def _configuration(reading: Reading) -> Configuration | None:
    if "unauthenticated" not in reading.sections:
        return None
    return Configuration(
        sshd=dict(reading.each("sshd", _setting)),
        unauthenticated=tuple(clean(line) for line in reading.lines("unauthenticated"))[:100],
    )


def _setting(line: str) -> tuple[str, str]:
    match = _SETTING.fullmatch(line)
    if match is None:
        raise ValueError(line)
    return match[1], match[2]


def _identity(reading: Reading) -> Identity | None:
    if "identity" not in reading.sections:
        return None
    said = reading.each("identity", _known_by)
    names, addresses, agents = (
        tuple(value for kind, value in said if kind == wanted)[:_MAX_KNOWN_BY]
        for wanted in _KNOWN_BY
    )
    return Identity(names, addresses, agents)


def _platform(reading: Reading) -> Platform | None:
    if "platform" not in reading.sections:
        return None
    said = reading.each("platform", _platform_line)
    found = {kind: tuple(value for each, value in said if each == kind) for kind in _PLATFORM}
    virtualization, cpu = (next(iter(found[kind]), "") for kind in ("virtualization", "cpu"))
    return Platform(virtualization, cpu, found["dkms"][:_MAX_KNOWN_BY])


def _platform_line(line: str) -> tuple[str, str]:
    kind, _, value = line.partition(" ")
    if kind not in _PLATFORM or not re.fullmatch(r"[A-Za-z0-9._+-]{1,80}", value):
        raise ValueError(line)
    return kind, value


def _known_by(line: str) -> tuple[str, str]:
    kind, _, value = line.partition(" ")
    if kind not in _KNOWN_BY or not _KNOWN_BY[kind].fullmatch(value):
        raise ValueError(line)
    return kind, str(ipaddress.ip_address(value)) if kind == "address" else value.lower()


def _kernel(reading: Reading, installed: Iterable[str]) -> Kernel:
    running = (reading.lines("uname")[1:2] or ("",))[0]
    if not _KERNEL.fullmatch(running):
        raise MalformedError("there is no kernel release")
    if reading.first("container") not in ("none", ""):
        return Kernel(running=running, container=True)
    return Kernel(running=running, installed=tuple(sorted(installed, key=_natural, reverse=True)))


def _natural(release: str) -> list[tuple[int, str]]:
    """Numbers by value, the rest by letter: kernel releases in the order of their making."""
    return [
        (int(part[:18]), "") if part.isdigit() else (-1, part)
        for part in re.findall(r"[0-9]+|[^0-9]+", release)
    ]


def _reboot(reading: Reading, kernel: Kernel) -> tuple[bool, tuple[str, ...]]:
    """Whether the host asks for it, or a newer kernel of the running flavour is installed."""
    first, *rest = reading.lines("reboot") or ("",)
    asked = first == "required"
    names = {name.strip() for name in (rest if asked else ())}
    because = {name for name in names if _PACKAGE_NAME.fullmatch(name) and len(name) <= 200}
    flavour = kernel.running.rsplit("-", 1)[-1]
    newer = [
        release
        for release in kernel.installed
        if release.rsplit("-", 1)[-1] == flavour and _natural(release) > _natural(kernel.running)
    ]
    because |= {f"linux-image-{release}" for release in newer[:1]}
    return asked or bool(newer), tuple(sorted(because))


def _disk(line: str) -> Disk | None:
    mount, total, free, inodes = line.split()
    if mount == "File":
        return None
    if mount not in ("/", "/boot", "/var"):
        raise ValueError("not asked for")
    return Disk(
        mount=mount,
        total=_bytes(total),
        free=_bytes(free),
        free_inodes=UNLIMITED_INODES if inodes == "-" else _bytes(inodes),
    )


def _bytes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError("not a number of bytes")
    return int(text)


def _clock(reading: Reading, started: datetime, ended: datetime) -> Clock:
    """The host read its clock after we started and before we ended: two bounds on the skew."""
    try:
        first, last = (_time(reading.first(name)) for name in ("clock", "clock-end"))
    except ValueError:
        raise MalformedError("the host's clock cannot be read") from None
    most, least = first - started.timestamp(), last - ended.timestamp()
    return Clock(
        skew_s=round((most + least) / 2, 3),
        uncertainty_s=round(abs(most - least) / 2, 3),
        synchronised={"yes": True, "no": False}.get(reading.first("ntp")),
    )


def _time(text: str) -> float:
    if not re.fullmatch(r"\d{1,12}\.\d{1,9}", text, re.ASCII):
        raise ValueError("not a time")
    return float(text)


def _failure(host: Host, kind: FailureKind, message: str, remedy: str) -> HostError:
    return HostError(HostFailure(host=host.name, kind=kind, message=message, remedy=remedy))
