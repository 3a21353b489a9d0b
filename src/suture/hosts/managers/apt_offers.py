"""What apt's indexes say of versions on offer (``apt-cache show``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from suture.core.inventory import AvailableVersion
from suture.hosts.managers.fields import (
    check_arch,
    check_filename,
    check_name,
    check_relations,
    check_sha256,
    check_version,
    number,
    percent,
)
from suture.hosts.sections import Reading

_SOURCE = re.compile(r"(?P<name>\S+)(?: \((?P<version>\S+)\))?")

Offers = Mapping[tuple[str, str], list[AvailableVersion]]
"""Versions without their origins, by name and version: one for each architecture."""


def read_offers(reading: Reading) -> Offers:
    found: dict[tuple[str, str], list[AvailableVersion]] = {}
    refused = []
    for stanza in _stanzas(reading.lines("available")):
        try:
            one = _available_version(stanza)
        except (ValueError, KeyError):
            refused.append(stanza.get("Package", "a stanza without a name"))
            continue
        found.setdefault((one.name, one.version), []).append(one)
    reading.refuse("available", refused)
    return found


def _stanzas(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Every stanza starts with its package's name."""
    stanza: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(": ")
        if key == "Package" and stanza:
            yield stanza
            stanza = {}
        stanza.setdefault(key, value)
    if stanza:
        yield stanza


def _available_version(stanza: Mapping[str, str]) -> AvailableVersion:
    def relation(key: str) -> str:
        return check_relations(stanza.get(key, ""))

    name, version = check_name(stanza["Package"]), check_version(stanza["Version"])
    source = _SOURCE.fullmatch(stanza.get("Source", name))
    if source is None:
        raise ValueError("not a source")
    return AvailableVersion(
        name=name,
        arch=check_arch(stanza["Architecture"]),
        version=version,
        source=check_name(source["name"]),
        source_version=check_version(source["version"] or version),
        origins=(),
        filename=check_filename(stanza["Filename"].removeprefix("./")),
        size=number(stanza["Size"]),
        installed_size_kib=number(stanza.get("Installed-Size", "0")),
        sha256=check_sha256(stanza["SHA256"]),
        depends=relation("Depends"),
        pre_depends=relation("Pre-Depends"),
        breaks=relation("Breaks"),
        conflicts=relation("Conflicts"),
        provides=relation("Provides"),
        replaces=relation("Replaces"),
        essential=stanza.get("Essential", "no") == "yes",
        phased_percent=percent(stanza.get("Phased-Update-Percentage", "100")),
    )


def pick(available: Offers, name: str, version: str, arch: str) -> AvailableVersion | None:
    """The one of this architecture; a package may change between it and ``all``."""
    found = {one.arch: one for one in reversed(available.get((name, version), ()))}
    return found.get(arch) or found.get("all") or (next(iter(found.values()), None))
