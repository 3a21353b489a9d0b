"""Planning for 10,000 and 100,000 hosts: from assessed selections to a plan that passed lint, and
the command as a whole."""

from __future__ import annotations

import gc
import random
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from msgspec.structs import replace

from bench import installed
from bench.measure import Figure, Report
from suture.core.assessment.findings import Finding, FindingState
from suture.core.documents import decode, digest, encode
from suture.core.inventory import (
    Host,
    Inventory,
    Package,
    PackageSet,
)
from suture.core.planning.lint import lint
from suture.core.planning.plan import Plan
from suture.core.planning.planner import make_plan
from suture.core.planning.windows import Freeze, Window
from suture.core.policy import EmergencyPolicy, Policy, RingPolicy
from suture.core.rollout.progress import next_actions
from suture.core.rollout.transitions import start
from suture.core.selection.ledger import Change, Ledger, LedgerEntry, Reason, Selection

RUNS = 3

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_CLASSES, _PACKAGES, _CHANGES, _FINDINGS = 200, 600, 12, 15

_POLICY = Policy(
    rings=(
        RingPolicy(name="canary", hosts=("canary",), soak="1h"),
        RingPolicy(name="early", share="25%", soak="1d", parallel=500),
        RingPolicy(name="broad", parallel=2000),
    ),
    windows=(
        Window(name="nights", hosts=("prod",), rule="FREQ=DAILY", start="22:00", duration="4h"),
        Window(
            name="weekends",
            rule="FREQ=WEEKLY;BYDAY=SA,SU",
            start="02:00",
            duration="6h",
            zone="Europe/Berlin",
        ),
    ),
    freezes=(Freeze(name="fair", begins=date(2026, 3, 9), ends=date(2026, 3, 13)),),
    emergency=EmergencyPolicy(enabled=True),
)


@dataclass(frozen=True)
class Assessed:
    """What the planner is given."""

    hosts: tuple[Host, ...]
    inventories: dict[str, Inventory]
    selections: dict[str, Selection]
    findings: dict[str, tuple[Finding, ...]]


def run(runs: int) -> Report:
    few = [_measured(assessed(10_000)) for _ in range(runs)]
    many = [_measured(assessed(100_000)) for _ in range(max(1, runs // 2))]
    created, created_many = installed.created(10_000, runs), installed.created(100_000, 1)
    return Report(
        title=f"plan: {_CLASSES} kinds of hosts, {_CHANGES} packages and {_FINDINGS} findings each",
        figures=(
            Figure("plan_10k_s", "`suture plan create` for 10,000", created, "s", "≤ 2"),
            Figure("plan_100k_s", "for 100,000", created_many, "s", "≤ 20"),
            Figure("core_10k_s", "10,000 in memory: plan and lint", _of(few, "all"), "s"),
            Figure("make_10k_s", "of it, the plan", _of(few, "make"), "s"),
            Figure("lint_10k_s", "of it, lint", _of(few, "lint"), "s"),
            Figure("id_10k_s", "its id: encoding and hashing it", _of(few, "id"), "s"),
            Figure("lint_loaded_10k_s", "lint of the plan read back", _of(few, "again"), "s"),
            Figure("next_10k_ms", "progress: one look at it", _of(few, "next"), "ms", "≤ 200"),
            Figure("core_100k_s", "100,000 in memory", _of(many, "all"), "s"),
            Figure("next_100k_ms", "progress: one look at it", _of(many, "next"), "ms"),
        ),
        caveats=(
            "`core_…` is from inventories and selections in memory; `plan_…` is the command from "
            "its start to its end: it reads the database, matches, ranks, selects, plans, checks "
            "its plan, keeps and prints it.",
            "For `plan_…`, hosts of one kind share packages, updates, units and listeners, and "
            "differ in time, boot, clock and disks; 12 packages of a host are old.",
            "Hosts of one kind share their set of packages, as the store reads it, and have all "
            "else in objects of their own.",
        ),
    )


def _of(measured: list[dict[str, float]], key: str) -> tuple[float, ...]:
    return tuple(one[key] for one in measured)


def _measured(given: Assessed) -> dict[str, float]:
    gc.collect()
    began = time.perf_counter()
    plan = make_plan(
        hosts=given.hosts,
        inventories=given.inventories,
        selections=given.selections,
        findings=given.findings,
        policy=_POLICY,
        now=NOW,
    )
    made = time.perf_counter()
    lint(plan)
    linted = time.perf_counter()
    assert plan.id
    named = time.perf_counter()
    state = start(plan, "r")
    looked = time.perf_counter()
    assert next_actions(plan, state, NOW)
    done = time.perf_counter()
    loaded = decode(encode(plan), Plan)
    reading = time.perf_counter()
    lint(loaded)
    return {
        "all": linted - began,
        "make": made - began,
        "lint": linted - made,
        "id": named - linted,
        "next": (done - looked) * 1000,
        "again": time.perf_counter() - reading,
    }


def assessed(count: int) -> Assessed:
    draw = random.Random(count)
    kinds = [_kind(draw, number) for number in range(_CLASSES)]
    hosts, inventories, selections, findings = [], {}, {}, {}
    for number in range(count):
        host = installed.host(draw, number)
        inventory, selection, found = kinds[draw.randrange(_CLASSES)]
        hosts.append(host)
        inventories[host.name] = replace(inventory, host=host.name)
        selections[host.name] = _own(selection)
        findings[host.name] = tuple(replace(finding, host=host.name) for finding in found)
    return Assessed(tuple(hosts), inventories, selections, findings)


def _kind(draw: random.Random, number: int) -> tuple[Inventory, Selection, tuple[Finding, ...]]:
    packages = tuple(
        Package(f"package-{n}", "amd64", f"1.{number}.{n}-1", f"package-{n}", f"1.{number}.{n}-1")
        for n in range(_PACKAGES)
    )
    inventory = installed.inventory(number, PackageSet(packages), NOW)
    chosen = draw.sample(packages, _CHANGES)
    changes = tuple(_change(package) for package in chosen)
    entries = tuple(
        LedgerEntry(one.package, one.arch, one.before or "", one.after, Reason.SELECTED)
        for one in changes
    )
    findings = tuple(
        Finding(
            cve=f"CVE-2026-{number}{n:03}",
            host="",
            package=package.name,
            packages=(package.name,),
            source=package.source,
            installed=package.version,
            fixed=f"{package.version}+deb12u1",
            state=FindingState.FIXABLE,
            kev=number == 0,
            due=(NOW + timedelta(days=draw.randrange(1, 60))).date(),
        )
        for n, package in enumerate(draw.choices(chosen, k=_FINDINGS))
    )
    return inventory, Selection(changes, Ledger(len(entries), entries)), findings


def _change(package: Package) -> Change:
    return Change(
        package=package.name,
        arch=package.arch,
        before=package.version,
        after=f"{package.version}+deb12u1",
        source=package.source,
        source_version=f"{package.version}+deb12u1",
        filename=f"pool/main/{package.name}_{package.version}+deb12u1_amd64.deb",
        size=200_000,
        sha256=digest(package),
        origin="Debian-Security:bookworm-security/main",
        cves=("CVE-2026-0001", "CVE-2026-0002"),
    )


def _own(selection: Selection) -> Selection:
    """The same in objects of its own."""
    entries = tuple(replace(entry) for entry in selection.ledger.entries)
    changes = tuple(replace(change) for change in selection.changes)
    return Selection(changes, Ledger(selection.ledger.available, entries))
