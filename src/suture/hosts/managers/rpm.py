"""rpm: what the collection's rpm sections say, for assessing a host; patching one is not done yet.

Line formats are those that ``scripts/collect-rpm.sh`` prints. What does not look like a package is
left out with a note, never passed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from suture.core.assessment.counted import is_running
from suture.core.inventory import Inventory, Origin, Package, PackageSet
from suture.core.versions import Scheme, order
from suture.hosts.managers.fields import number
from suture.hosts.managers.packages import PackageFacts
from suture.hosts.sections import MalformedError, Reading
from suture.hosts.text import clean

SCRIPTS = ("collect-rpm",)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,200}")
_PART = re.compile(r"[A-Za-z0-9._+~^]{1,120}")  # a version or a release
_ARCH = re.compile(r"[a-z0-9_]{1,40}")
_EPOCH = re.compile(r"[0-9]{1,10}")
_MODULE = re.compile(r"([A-Za-z0-9._+-]{1,100}:[A-Za-z0-9._+-]{1,100})(:.{0,200})?")
_NO_VALUE = "(none)"
_KERNEL = re.compile(r"kernel(-(rt|64k|uek|default|azure|kvmsmall|lt|ml))?(-core)?")
_KEY = "gpg-pubkey"  # a signing key, which rpm keeps as a package
# Who else packages for the systems of one publisher, by the first word of their names.
_BESIDE = {"suse": "opensuse", "opensuse": "suse"}
_EPEL = "fedora"


def read_rpm(reading: Reading) -> PackageFacts:
    """All of it; raises :class:`MalformedError` without an architecture or any package."""
    arch = reading.first("arch")
    if not _ARCH.fullmatch(arch):
        raise MalformedError("there is no architecture")
    rows = reading.each("rpm", read_package)
    if not rows:
        raise MalformedError("rpm lists no packages")
    reading.notes.append(
        "of rpm packages only what feeds know is told: available updates are not read yet"
    )
    packages = tuple(sorted(package for package, _ in rows))
    return PackageFacts(
        arch=arch,
        packages=PackageSet(packages),
        third_party=_third_party(reading, rows),
        archives=tuple(sorted(set(reading.each("repositories", _repository)), key=str)),
        indexes_age_s=_age(reading),
        kernels=frozenset(
            f"{package.version.rpartition(':')[2]}.{package.arch}"
            for package in packages
            if _KERNEL.fullmatch(package.name)
        ),
    )


def read_package(line: str) -> tuple[Package, str] | None:
    """A package, and who built it."""
    name, epoch, version, release, arch, source, vendor, module = line.split("\t")
    if name == _KEY:
        return None
    for pattern, text in (
        *((_NAME, name), (_EPOCH, epoch), (_PART, version), (_PART, release), (_ARCH, arch)),
    ):
        if not pattern.fullmatch(text):
            raise ValueError(f"not allowed: {clean(text, 60)!r}")
    prefix = f"{int(epoch)}:" if int(epoch) else ""
    evr = f"{prefix}{version}-{release}"
    source_name, source_version = _source(source, name, evr, prefix)
    package = Package(
        name=name,
        arch=arch,
        version=evr,
        source=source_name,
        source_version=source_version,
        module=_module(module),
    )
    return package, "" if vendor == _NO_VALUE else clean(vendor, 100)


def _source(file: str, name: str, evr: str, prefix: str) -> tuple[str, str]:
    """``nginx-1.20.1-16.el9.src.rpm`` taken apart; the package's own where there is none. The
    source's epoch is not in it, and nearly always the package's."""
    stem = file.removesuffix(".rpm").removesuffix(".src").removesuffix(".nosrc")
    parts = stem.rsplit("-", 2)
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts[1:]):
        return name, evr
    if not _NAME.fullmatch(parts[0]):
        return name, evr
    return parts[0], f"{prefix}{parts[1]}-{parts[2]}"


def _module(label: str) -> str:
    """``nodejs:18`` of ``nodejs:18:8090020240301110609:rhel8:x86_64``."""
    if label == _NO_VALUE or not label:
        return ""
    match = _MODULE.fullmatch(label)
    if match is None:
        raise ValueError(f"not a module: {clean(label, 60)!r}")
    return match[1]


def _third_party(reading: Reading, rows: Iterable[tuple[Package, str]]) -> tuple[str, ...]:
    """Built by another than who built the base system, which ``filesystem`` is of everywhere."""
    vendors = {package.name: vendor for package, vendor in rows}
    base = _word(vendors.get("filesystem", ""))
    if not base:
        reading.notes.append(
            "who built the base system is not known: third-party packages cannot be told"
        )
        return ()
    own = {base, _BESIDE.get(base, _EPEL)}
    return tuple(sorted({package.key for package, vendor in rows if _word(vendor) not in own}))


def _word(vendor: str) -> str:
    """The first word: some publishers write their name in several ways."""
    words = re.findall(r"[a-z0-9]+", vendor.lower())
    return words[0] if words else ""


def _repository(line: str) -> Origin:
    id_, _, title = line.partition("\t")
    if not id_:
        raise ValueError("a repository without an id")
    return Origin(label=clean(title or id_, 100), archive=clean(id_, 100))


def _age(reading: Reading) -> float | None:
    """Seconds since a repository's index was fetched last, None where none ever was."""
    times = dict(line.split(" ", 1) for line in reading.lines("indexes") if " " in line)
    try:
        return float(max(0, number(times["now"]) - number(times["list"])))
    except (KeyError, ValueError):
        reading.notes.append("the host has no metadata of its repositories")
        return None


def with_reboot(inventory: Inventory) -> Inventory:
    """Says that a reboot is due where a newer kernel of the running kind is installed."""
    packages = inventory.packages.packages
    for running in (package for package in packages if is_running(package, inventory)):
        since = order(running.version, Scheme.RPM)
        if any(
            package.name == running.name and order(package.version, Scheme.RPM) > since
            for package in packages
        ):
            names = tuple(sorted({*inventory.reboot_packages, running.name}))
            inventory = replace(inventory, reboot_required=True, reboot_packages=names)
    return inventory
