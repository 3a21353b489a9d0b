"""Which packages of a host count: what is on disk, the distribution's own, the running kernel.

Packages from third parties are not judged by the distribution's advisories; the inventory lists
them apart. Of several installed kernels only the one that runs is open to attack.
"""

from __future__ import annotations

import re

from suture.core.documents import Document
from suture.core.inventory import Inventory, Package, PackageState
from suture.core.versions import Scheme, scheme_of

_DEB_KERNEL = re.compile(
    r"linux(-(signed|meta|latest|aws|azure|bluefield|fips|gcp|gke|hwe|ibm|intel|kvm|lowlatency"
    r"|nvidia|oem|oracle|raspi|realtime|riscv|xilinx).*)?"
)
_DEB_IMAGE = re.compile(r"linux-(?:image|image-unsigned|modules|modules-extra)-(\d.*)")

_FLAVOUR = r"(-(rt|64k|uek|default|azure|kvmsmall|lt|ml))?"
_RPM_KERNEL = re.compile(rf"kernel{_FLAVOUR}")
_RPM_IMAGE = re.compile(rf"kernel{_FLAVOUR}(-debug)?(-core|-modules(-core|-extra|-internal)?)?")


class Group(Document, frozen=True):
    """The packages of one source that count. ``waiting`` are the other installed kernels, of which
    one runs after a reboot."""

    packages: tuple[Package, ...]
    waiting: tuple[Package, ...] = ()


def groups(inventory: Inventory) -> dict[str, Group]:
    """By source.

    An old kernel is in no archive any more, and is the distribution's all the same.
    """
    third_party = set(inventory.third_party)
    is_rpm = scheme_of(inventory.os.release) is Scheme.RPM
    kernel = _RPM_KERNEL if is_rpm else _DEB_KERNEL
    by_source: dict[str, list[Package]] = {}
    for package in inventory.packages.packages:
        if package.state is not PackageState.RESIDUAL and (
            not third_party or package.key not in third_party or kernel.fullmatch(package.source)
        ):
            by_source.setdefault(package.source, []).append(package)
    counted = {}
    for source, packages in by_source.items():
        if not kernel.fullmatch(source):
            counted[source] = Group(tuple(packages))
        elif not inventory.kernel.container:
            images = [package for package in packages if _is_image(package, is_rpm=is_rpm)]
            running = tuple(p for p in images if is_running(p, inventory))
            if running:
                waiting = tuple(package for package in images if package not in running)
                counted[source] = Group(running, waiting)
    return counted


def apart(inventory: Inventory) -> tuple[int, ...]:
    """The places in the package set of those that do not count, ascending."""
    counted = {package for group in groups(inventory).values() for package in group.packages}
    packages = enumerate(inventory.packages.packages)
    return tuple(place for place, package in packages if package not in counted)


def is_running(package: Package, inventory: Inventory) -> bool:
    """Whether the package has the running kernel."""
    running = inventory.kernel.running
    if scheme_of(inventory.os.release) is Scheme.RPM:
        return _is_image(package, is_rpm=True) and _is_running_rpm(package, running)
    image = _DEB_IMAGE.match(package.name)
    return image is not None and image[1].removesuffix("-unsigned") == running


def _is_image(package: Package, *, is_rpm: bool) -> bool:
    if is_rpm:
        return _RPM_IMAGE.fullmatch(package.name) is not None
    return _DEB_IMAGE.match(package.name) is not None


def _is_running_rpm(package: Package, running: str) -> bool:
    """``uname -r`` is ``version-release.arch``, with ``+flavour`` behind it or, at SUSE,
    ``version-release-flavour`` with the release cut short."""
    version = package.version.rpartition(":")[2]
    name = package.name.split("-")
    release, plus, flavour = running.partition("+")
    if release == f"{version}.{package.arch}":
        return not plus or flavour in name
    short, _, flavour = running.rpartition("-")
    return bool(short) and flavour in name and f"{version}.".startswith(f"{short}.")
