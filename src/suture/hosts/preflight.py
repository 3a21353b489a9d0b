"""Whether a host may be patched now. A host that fails is left alone, with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.inventory import Inventory
from suture.core.planning.plan import HostPlan
from suture.core.selection.ledger import Change
from suture.hosts.controls import control_functions
from suture.hosts.results import Results
from suture.hosts.session import PatchSession, PatchSettings
from suture.hosts.shell import program
from suture.hosts.steps import Outcome, conclude, package_table, perform, read_query

_INST = re.compile(r"Inst (\S+)(?: \[(\S+)\])? \((\S+)[^\[]*\[(\S+?)\]\)")
_KERNEL = re.compile(r"linux-image-.*\d")
_LISTS_AND_LOGS_KIB = 64 * 1024


async def preflight(session: PatchSession) -> StepReport:
    """Ask the host everything that must hold before it is touched; changes nothing."""

    async def body() -> Outcome:
        table = package_table(session.plan)
        wait_s = session.settings.lock_wait_s
        script = program(
            "common",
            "query",
            "updaters",
            "locks",
            "apt",
            PLAN=table,
            LOCK_WAIT_S=wait_s,
            KEPT_FREE="\n".join(path for path, _ in session.settings.min_free_mib),
        )
        script += control_functions(session) + program("preflight")
        asked = session.now()
        result = await session.query(script, timeout_s=wait_s + 180)
        results, failed = read_query(result)
        if failed:
            return failed
        answered = session.now()
        checks = judge_preflight(session.plan, results, asked, answered, session.settings)
        verdict, reason = conclude([c for c in checks if c.name != "other updaters"])
        return Outcome(verdict, reason, checks=checks)

    return await perform(session, Step.PREFLIGHT, body, transaction=False, mutates=False)


def assumed_state(plan: HostPlan, inventory: Inventory) -> Check:
    """Whether a fresh collection still shows the packages that the plan was made from."""
    if inventory.packages.digest == plan.package_set:
        return Check("package set", Verdict.PASS, "as the plan assumed")
    now = {package.key: package.version for package in inventory.packages.packages}
    moved = [c.key for c in plan.changes if now.get(c.key) != c.before]
    what = f": {', '.join(moved[:5])}" if moved else ", apart from those that the plan changes"
    return Check(
        "package set",
        Verdict.FAIL,
        f"packages changed since the plan was made{what}; scan and plan again",
    )


def judge_preflight(
    plan: HostPlan,
    results: Results,
    asked: datetime,
    answered: datetime,
    settings: PatchSettings,
) -> tuple[Check, ...]:
    """What the host's answers mean. ``asked`` and ``answered`` bracket the host's clock."""
    return (
        *results.checks,
        _clock(results.first("clock"), asked, answered, settings.clock_skew_s),
        _installed(plan.changes, results),
        _present(results),
        _space(plan.changes, results, settings.min_free_mib),
        _closure(plan.changes, (line for (line,) in results.of("simulated", 1))),
    )


def _clock(text: str, asked: datetime, answered: datetime, limit_s: float) -> Check:
    try:
        host = float(text)
    except ValueError:
        return Check("clock", Verdict.INCONCLUSIVE, "the host did not tell its time")
    off = max(asked.timestamp() - host, host - answered.timestamp(), 0.0)
    if off <= limit_s:
        return Check("clock", Verdict.PASS, f"within {limit_s:g} s of ours")
    return Check(
        "clock",
        Verdict.FAIL,
        f"{off:.0f} s off ours, {limit_s:g} s are allowed; set the host's clock "
        "(timedatectl set-ntp true) and try again",
    )


def _installed(changes: Iterable[Change], results: Results) -> Check:
    now = {key: (version, state) for key, version, state in results.of("installed", 3)}
    wrong = []
    for change in changes:
        version, state = now.get(change.key, ("", ""))
        if change.before is None:
            if state and not state.startswith("config-files"):
                wrong.append(f"{change.key} is there already")
        elif (version, state) != (change.before, "installed ok"):
            found = f"{version} ({state})" if version else "not installed"
            wrong.append(f"{change.key} is {found}, the plan assumed {change.before}")
    if not wrong:
        return Check("assumed versions", Verdict.PASS, "as the plan assumed")
    return Check("assumed versions", Verdict.FAIL, f"{'; '.join(wrong[:5])}; scan and plan again")


def _present(results: Results) -> Check:
    missing = [name for (name,) in results.of("missing", 1)]
    if not missing:
        return Check("package files", Verdict.PASS, "in the host's cache")
    return Check(
        "package files",
        Verdict.FAIL,
        f"not in the host's cache: {', '.join(missing[:5])}; acquire them first",
    )


def _space(
    changes: Iterable[Change], results: Results, min_free_mib: Iterable[tuple[str, int]]
) -> Check:
    """Growth and the largest package on /usr, the bundle under /var, kernels on /boot; and what
    has to stay free, by file system. A path that the host has not needs none."""
    disks = {path: (mount, _kib(free)) for path, mount, free in results.of("disk", 3)}
    sizes = [(_kib(new), _kib(old)) for _, new, old in results.of("size", 3)]
    growth = sum(max(0, new - old) for new, old in sizes)
    wanted = [
        ("/usr", growth + max((new for new, _ in sizes), default=0)),
        ("/var/lib/suture", 2 * _kib(results.first("configuration")) + _LISTS_AND_LOGS_KIB),
    ]
    if any(_KERNEL.match(change.package) for change in changes):
        wanted.append(("/boot", 200 * 1024))
    rest = disks.get("/", ("/", 0))
    need: dict[str, int] = {}
    kept: dict[str, int] = {}
    for path, kib in wanted:
        mount, _ = disks.get(path, rest)
        need[mount] = need.get(mount, 0) + kib
    for path, mib in min_free_mib:
        if path in disks:
            mount, _ = disks[path]
            kept[mount] = max(kept.get(mount, 0), mib * 1024)
    free = dict([rest, *disks.values()])
    short = [
        f"{mount} has {free[mount] // 1024} MiB free; the patches need {need.get(mount, 0) // 1024}"
        f" MiB, and {kept.get(mount, 0) // 1024} MiB have to stay free"
        for mount in sorted(need.keys() | kept.keys())
        if free[mount] < need.get(mount, 0) + kept.get(mount, 0)
    ]
    if short:
        return Check("disk space", Verdict.FAIL, f"{'; '.join(short)}; make room and try again")
    detail = ", ".join(f"{mount}: {kib // 1024} MiB needed" for mount, kib in need.items())
    return Check("disk space", Verdict.PASS, detail)


def _closure(changes: Iterable[Change], simulated: Iterable[str]) -> Check:
    """The package manager's own simulation must name exactly the plan's changes."""
    planned = {(c.package, c.before, c.after) for c in changes}
    would: set[tuple[str, str | None, str]] = set()
    odd: list[str] = []
    for line in simulated:
        match = _INST.match(line)
        if match:
            would.add((match[1].partition(":")[0], match[2], match[3]))
        else:
            odd.append(line)
    odd += [
        f"would also install {name} {after}" for name, _, after in sorted(_plain(would - planned))
    ]
    odd += [
        f"would not install {name} {after}" for name, _, after in sorted(_plain(planned - would))
    ]
    if not odd:
        return Check("closure", Verdict.PASS, f"exactly the {len(planned)} planned packages")
    return Check("closure", Verdict.FAIL, f"closure differs: {'; '.join(odd[:6])}; plan again")


def _plain(changes: set[tuple[str, str | None, str]]) -> list[tuple[str, str, str]]:
    return [(name, before or "", after) for name, before, after in changes]


def _kib(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
