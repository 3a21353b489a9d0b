"""What a package manager's part of the collection comes to, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass

from suture.core.inventory import AvailableVersion, Origin, PackageSet, Update


@dataclass(frozen=True)
class PackageFacts:
    """The part of an inventory that the package manager knows; fields as in ``Inventory``.
    ``kernels`` are the releases of the installed kernels, as ``uname -r`` would say them."""

    arch: str
    packages: PackageSet
    third_party: tuple[str, ...]
    archives: tuple[Origin, ...]
    indexes_age_s: float | None
    kernels: frozenset[str]
    foreign_archs: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    automatic: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    updates: tuple[Update, ...] = ()
    installable: tuple[AvailableVersion, ...] = ()
