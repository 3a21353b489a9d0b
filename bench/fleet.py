"""Fleet-scale assessment: stored package sets, or raw text, against all rules at once."""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import fleet_data, published
from bench.measure import Figure, Report, run_child
from suture.core.assessment.fleet import Fleet, Interner, columns
from suture.core.assessment.fleet_findings import FleetFindings
from suture.core.assessment.fleet_matching import match_fleet
from suture.core.intelligence.advisory_index import AdvisoryIndex
from suture.core.intelligence.rule_table import RuleTable, rule_table
from suture.core.inventory import Package
from suture.core.versions import Scheme, is_valid, scheme_of
from suture.hosts.managers.apt import read_package
from suture.services import arrivals
from suture.store import fleet_columns, records
from suture.store.database import Store, open_store

RUNS = 5

_HOSTS, _MANY = 10_000, 100_000
_DOCUMENT = random.Random(1).randbytes(8_000)  # what an inventory without packages packs to
_ASKED = 200

Offers = dict[str, list[fleet_data.Offered]]  # by release


def run(runs: int) -> Report:
    published.file(published.ALMA)
    with tempfile.TemporaryDirectory() as scratch:
        offered = fleet_data.universe(fleet_data.advisories())
        few, many = Path(scratch) / "few.sqlite", Path(scratch) / "many.sqlite"
        texts = Path(scratch) / "texts"
        _fill(few, offered, _HOSTS, _DOCUMENT)
        write_texts(texts, offered, _HOSTS)
        stored = child("stored", few, runs)
        refed = child("refeed", few, runs)
        text = child("text", texts, runs)
        few.unlink()
        _fill(many, offered, _MANY, b"")
        large = child("stored", many, max(1, runs // 2))
    return Report(
        title=f"fleet: {_HOSTS} hosts × 600 packages against {int(stored['rules'][0])} rules",
        figures=(
            Figure("assess_s", "stored sets → findings", tuple(stored["assess"]), "s", "≤ 2"),
            Figure("assess_cpu_s", "of it, CPU", tuple(stored["cpu"]), "s"),
            Figure("load_s", "of it, reading the sets", tuple(stored["load"]), "s"),
            Figure("match_s", "of it, matching", tuple(stored["match"]), "s"),
            Figure(
                "rss_mb", "peak memory of that process", tuple(stored["rss_mb"]), "MB", "≤ 1000"
            ),
            Figure("from_text_s", "raw text → findings", tuple(text["assess"]), "s", "≤ 5"),
            Figure("from_text_cpu_s", "of it, CPU", tuple(text["cpu"]), "s"),
            Figure("assess_100k_s", f"{_MANY} hosts", tuple(large["assess"]), "s", "≤ 20"),
            Figure("assess_100k_cpu_s", "of it, CPU", tuple(large["cpu"]), "s"),
            Figure("rss_100k_mb", "its peak memory", tuple(large["rss_mb"]), "MB"),
            Figure(
                "refeed_s", "new feed → what it newly opens", tuple(refed["refeed"]), "s", "≤ 2"
            ),
            Figure("refeed_cpu_s", "of it, CPU", tuple(refed["cpu"]), "s"),
            Figure("touch_ms", "hosts that a CVE touches", tuple(stored["touch_ms"]), "ms", "≤ 5"),
            Figure("touch_first_ms", "the first such question", tuple(stored["first_ms"]), "ms"),
            Figure(
                "rules_s", "publishers' files → rules in columns", tuple(stored["rules_s"]), "s"
            ),
            Figure("rules", "rules that count", tuple(stored["rules"])),
            Figure("findings", "findings", tuple(stored["findings"])),
            Figure("refed_names", "names that the new feed changes", tuple(refed["names"])),
            Figure("refed_opened", "CVEs that it newly opens", tuple(refed["opened"])),
        ),
        caveats=(
            "Rules are AlmaLinux's OSV files, Debian's DSA and DLA lists and Ubuntu's tracker, one "
            "for each release, package and CVE. Hosts are made up: releases in turn, packages "
            "drawn at random, versions those in which something was fixed; 300 of 600 have rules. "
            "Of the 100,000 each is one of the 10,000 with another package left out.",
            "Assessment ends with findings counted by host, by CVE and by state, on disk; what is "
            "on offer and what still runs is judged host by host when a host is looked at.",
            "The rules are in columns before the clock starts (`rules_s`, once for each new feed, "
            "with the files read). The database is in the page cache.",
            "All runs on one core; where others keep the machine busy, seconds of CPU tell more "
            "than the clock.",
            "rss_mb is of a process that also read the publishers' files and made the rules.",
            "From text: one file a host in the format of the collection's dpkg section, read by "
            "its reader; RPM hosts' by one of the benchmark's. Nothing is known of earlier scans.",
            "A new feed corrects 100 advisories of AlmaLinux's; measured from the advisories read "
            "until they are stored and each CVE that they newly open is in the event log. Only "
            "names that changed and what stands beside them are worked out, before and after.",
            "touch_ms: median over 200 random CVEs, after the first question built the lookup.",
        ),
    )


def _fill(path: Path, offered: Offers, count: int, document: bytes) -> None:
    store = open_store(f"sqlite:///{path}")
    fleet_data.fill(store, offered, count, document)
    store.close()


def write_texts(place: Path, offered: Offers, count: int) -> None:
    """One file a host."""
    place.mkdir()
    for name, _, packages in fleet_data.hosts(offered, count):
        (place / name).write_text("\n".join(map(fleet_data.line, packages)))


def child(task: str, place: Path, runs: int) -> dict[str, list[float]]:
    """In a process of its own, for its memory and its caches."""
    argv = [sys.executable, "-m", "bench.fleet", task, str(place), str(runs)]
    told: dict[str, list[float]] = json.loads(run_child(argv, env=dict(os.environ)).stdout)
    return told


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


def _both(work: Callable[[], Any], runs: int) -> tuple[list[float], list[float]]:
    """Seconds on the clock, and of CPU."""
    seconds, cpu = [], []
    for _ in range(runs):
        began = time.process_time()
        seconds.append(_timed(work)[0])
        cpu.append(time.process_time() - began)
    return seconds, cpu


def _assess(fleet: Fleet, table: RuleTable) -> FleetFindings:
    found = match_fleet(fleet, table)
    found.by_host()
    found.by_cve()
    return found


def _loaded(store: Store) -> Fleet:
    with store.query() as query:
        return fleet_columns.fleet(query)


def _stored(place: Path, runs: int) -> dict[str, list[float]]:
    rules_s, table = _timed(lambda: rule_table(AdvisoryIndex(fleet_data.advisories())))
    store = open_store(f"sqlite:///{place}")
    load, match, cpu, found = [], [], [], None
    for _ in range(runs):
        found = None
        cpu_began = time.process_time()
        seconds, fleet = _timed(lambda: _loaded(store))
        load.append(seconds)
        seconds, found = _timed(lambda fleet=fleet: _assess(fleet, table))  # type: ignore[misc]
        match.append(seconds)
        cpu.append(time.process_time() - cpu_began)
    assert found is not None
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    first, _ = _timed(lambda: found.touched_by(found.cves[0]))
    asked = random.Random(2).sample(list(found.cves), _ASKED)
    return {
        "load": load,
        "match": match,
        "assess": [a + b for a, b in zip(load, match, strict=True)],
        "cpu": cpu,
        "rss_mb": [rss],
        "rules_s": [rules_s],
        "rules": [len(table.fixed)],
        "findings": [len(found)],
        "first_ms": [first * 1000],
        "touch_ms": [_timed(lambda cve=cve: found.touched_by(cve))[0] * 1000 for cve in asked],  # type: ignore[misc]
    }


def _refeed(place: Path, runs: int) -> dict[str, list[float]]:
    """All that is said is stored, then every run is another day of AlmaLinux's feed."""
    said = fleet_data.advisories()
    store = open_store(f"sqlite:///{place}")
    today = datetime.now(UTC)
    with store.begin() as connection:
        for publisher in {one.publisher for one in said}:
            rows = (row for one in said if one.publisher == publisher for row in records.rows(one))
            records.apply(connection, publisher, "all", rows, today)
    days = iter(range(1, runs + 1))
    names: list[float] = []
    opened: list[float] = []

    def refeed() -> None:
        day = next(days)
        new = fleet_data.corrected(said, day)
        names.append(len({(a.release, a.package) for one in new for a in one.affected}))
        rows = [row for one in new for row in records.rows(one)]
        now = today + timedelta(days=day)
        with store.begin() as connection:
            records.apply_partial(connection, "almalinux", "all", rows, (), now)
        opened.append(len(arrivals.note(store, "almalinux", now)))

    seconds, cpu = _both(refeed, runs)
    return {"refeed": seconds, "cpu": cpu, "names": names, "opened": opened}


def _text(place: Path, runs: int) -> dict[str, list[float]]:
    table = rule_table(AdvisoryIndex(fleet_data.advisories()))
    releases = fleet_data.RELEASES
    by_release = [
        (one, release)
        for turn, release in enumerate(releases)
        for one in sorted(place.iterdir())[turn :: len(releases)]
    ]
    names, of = [one.name for one, _ in by_release], [release for _, release in by_release]

    def read() -> FleetFindings:
        interner = Interner()
        sets = [
            interner.intern_lines(one.read_bytes().split(b"\n"), _READERS[scheme_of(release)])
            for one, release in by_release
        ]
        return _assess(columns(interner.packages, names, of, sets), table)

    seconds, cpu = _both(read, runs)
    return {"assess": seconds, "cpu": cpu}


def _deb(line: str) -> Package | None:
    found = read_package(line)
    return found[0] if found else None


def _rpm(line: str) -> Package | None:
    name, arch, version, source, source_version, *_ = line.split("\t")
    if not all(is_valid(one, Scheme.RPM) for one in (version, source_version)):
        raise ValueError(f"no version: {line}")
    return Package(name, arch, version, source, source_version)


_READERS = {Scheme.DPKG: _deb, Scheme.RPM: _rpm}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=("stored", "refeed", "text"))
    parser.add_argument("place", type=Path)
    parser.add_argument("runs", type=int)
    arguments = parser.parse_args()
    task = {"stored": _stored, "refeed": _refeed, "text": _text}[arguments.task]
    print(json.dumps(task(arguments.place, arguments.runs)))
