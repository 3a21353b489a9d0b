"""Real publishers' data beside the checkout (``../shared/data``), as rules and as versions.

``SUTURE_TEST_DATA`` names another place. The readers here know these files alone.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.measure import UnmetError
from suture.core.intelligence.advisories import Advisory, Affected, FixState

UBUNTU = "ubuntu-cve-tracker-2020-06-18.json.gz"
DEBIAN = ("debian-DSA-list-2023-03-29.txt.gz", "debian-DLA-list-2023-03-29.txt.gz")
ALMA = "almalinux-osv-2026-08-21.tar.gz"

_ADVISORY = re.compile(r"\[.*?\] (D[SL]A-\S+) ")
_FIX = re.compile(r"\[(\w+)\] - (\S+) (\S+)")
_CVE = re.compile(r"CVE-\d+-\d+")


def file(name: str) -> Path:
    """A file or folder of it; raises :class:`UnmetError` where that is missing."""
    root = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("SUTURE_TEST_DATA") or root) / name
    if not path.exists():
        raise UnmetError(f"{path} is missing; name its folder in SUTURE_TEST_DATA")
    return path.resolve()


def ubuntu() -> Iterator[Advisory]:
    """One for each rule of the tracker; releases are named by their codename."""
    with gzip.open(file(UBUNTU)) as opened:
        rules = json.load(opened)["rules"]
    for codename, source, fixed, cve in rules:
        affected = Affected(f"ubuntu:{codename}", source, FixState.FIXED, fixed)
        yield Advisory(id=cve, publisher="ubuntu", cves=(cve,), affected=(affected,))


def debian() -> Iterator[Advisory]:
    """The DSA and DLA lists; releases are named by their codename."""
    for name in DEBIAN:
        with gzip.open(file(name), "rt", encoding="utf-8") as opened:
            text = opened.read()
        for block in re.split(r"\n(?=\[)", text):
            head, _, body = block.partition("\n")
            named = _ADVISORY.match(head)
            cves = tuple(sorted(set(_CVE.findall(body.partition("[")[0]))))
            affected = tuple(
                Affected(f"debian:{codename}", source, FixState.FIXED, fixed)
                for codename, source, fixed in _FIX.findall(body)
                if not fixed.startswith("<")
            )
            if named and cves and affected:
                yield Advisory(id=named[1], publisher="debian", cves=cves, affected=affected)


def alma() -> Iterator[Advisory]:
    """AlmaLinux's OSV files that name a CVE."""
    with tarfile.open(file(ALMA)) as archive:
        for member in archive:
            opened = archive.extractfile(member) if member.name.endswith(".json") else None
            if opened is None:
                continue
            said = json.load(opened)
            cves = tuple(sorted({one for one in said["related"] if one.startswith("CVE-")}))
            affected = tuple(_alma_package(one) for one in said["affected"])
            if cves and affected:
                yield Advisory(id=said["id"], publisher="almalinux", cves=cves, affected=affected)


def _alma_package(said: dict[str, Any]) -> Affected:
    release = said["package"]["ecosystem"].lower()
    (fixed,) = (one["fixed"] for one in said["ranges"][0]["events"] if "fixed" in one)
    return Affected(release, said["package"]["name"], FixState.FIXED, fixed)
