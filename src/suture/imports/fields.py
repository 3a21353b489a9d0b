"""What the readers of scanners' reports share: times, host identities, packages named in text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from suture.core.scanners.scanner import (
    MAX_NAMES,
    MAX_PACKAGES,
    PackageEvidence,
    ScannerHost,
    address_of,
    line,
)

_FORMATS = (
    "%a %b %d %H:%M:%S %Y",  # Nessus: Wed Mar 23 15:07:52 2022
    "%b %d, %Y %H:%M:%S",  # Tenable.sc: Jan 5, 2021 10:24:08
    "%m/%d/%Y %H:%M:%S",  # Qualys: 05/25/2021 07:36:58
    "%m/%d/%Y",
    "%b %d, %Y %I:%M %p",  # VMDR: Feb 03, 2026 07:00 AM
    "%b %d, %Y",
    "%Y/%m/%d %H:%M",
)
_ZONE = re.compile(r"\s+[A-Z]{3,5}$")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:{}-]{0,127}")
_INSTALLED = re.compile(r"(?:Remote package installed|Installed package|Vulnerable package)\s*:\s*")
_SAW = re.compile(r"(\S+)(?:[ \t]*\n\s*(?:- )?(?:Should be|Fixed package)\s*:\s*(\S+))?")
_LISTED = re.compile(r"(\S+)\s+Installed version:\s*(\S+)(?:\s+Fixed version:\s*[<>=]*(\S+))?")
_VERSION = re.compile(r"[-_](?=(?:\d+:)?\d)")


@lru_cache(maxsize=4096)
def moment(text: str, zone: tzinfo = UTC) -> datetime | None:
    """A time as scanners write it, in ``zone`` where it names none. None where it is not one."""
    text = line(text, 64)
    if text.isascii() and text.isdigit():
        return datetime.fromtimestamp(int(text), UTC) if 9 <= len(text) <= 10 else None
    for written in (text, _ZONE.sub("", text)):
        when = _read(written)
        if when is not None:
            # A zone that is named by letters alone is not known, but for these.
            zone = UTC if text.endswith((" UTC", " GMT")) else zone
            when = when.replace(tzinfo=zone) if when.tzinfo is None else when
            return when.astimezone(UTC) if 1990 <= when.year <= 9000 else None
    return None


def _read(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for written in _FORMATS:
        try:
            return datetime.strptime(text, written)
        except ValueError:
            continue
    return None


@lru_cache(maxsize=4096)
def identity(
    *said: str | None,
    ids: tuple[str | None, ...] = (),
    os: str | None = "",
    credentialed: bool | None = None,
) -> ScannerHost:
    """A host by what a report says of it: whatever in ``said`` is an address or a name."""
    addresses: dict[str, None] = {}
    names: dict[str, None] = {}
    for text in said:
        for word in re.split(r"[\s,;]+", (text or "")[:8192]):
            if address := address_of(word):
                addresses[address] = None
            elif _NAME.fullmatch(word) and not _is_numbers(word):
                names[word.lower().rstrip(".")] = None
    known = dict.fromkeys(one.strip() for one in ids if one and _ID.fullmatch(one.strip()))
    return ScannerHost(
        addresses=tuple(addresses)[:MAX_NAMES],
        names=tuple(names)[:MAX_NAMES],
        ids=tuple(known)[:MAX_NAMES],
        os=line(os, 200),
        credentialed=credentialed,
    )


def _is_numbers(word: str) -> bool:
    """An address gone wrong (``192.168.1.1001``) is no name."""
    return word.replace(".", "").isdigit()


def packages_in(text: str) -> tuple[PackageEvidence, ...]:
    """Packages in the output of Nessus's and OpenVAS's local checks."""
    found: dict[PackageEvidence, None] = {}
    for match in _INSTALLED.finditer(text[:1_000_000]):
        if len(found) >= MAX_PACKAGES:
            break
        rest = text[match.end() : match.end() + 2000]
        if listed := _LISTED.match(rest):
            found[_package(listed[1], listed[2], listed[3] or "")] = None
        elif saw := _SAW.match(rest):
            name, installed = _parted(saw[1])
            found[_package(name, installed, _parted(saw[2] or "")[1])] = None
    return tuple(found)


def _package(name: str, installed: str, fixed: str) -> PackageEvidence:
    # OpenVAS repeats the package's name in front of its versions.
    return PackageEvidence(
        line(name, 200),
        line(installed.removeprefix(f"{name}-"), 255),
        line(fixed.removeprefix(f"{name}-"), 255),
    )


def _parted(word: str) -> tuple[str, str]:
    """``libssl1.1_1.1.1n-0+deb11u3`` and ``kernel-4.14.314-237.533.amzn2`` to name, version."""
    name, underscore, version = word.partition("_")
    if underscore and version[:1].isdigit():
        return name, version
    found = _VERSION.search(word)
    return (word[: found.start()], word[found.end() :]) if found else (word, "")
