"""Patching a host: from the start of the transaction to verified, beside ``apt-get install``."""

from __future__ import annotations

import asyncio
import shlex
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.measure import Figure, Report, booted_lab, host_cpu_s, ratios, run_child
from lab.fleet import Lab, LabHost, Wanted
from suture.core.documents import digest
from suture.core.evidence import StepReport, Verdict
from suture.core.inventory import Inventory
from suture.core.planning.plan import HostPlan, RebootRule
from suture.core.selection.ledger import Change, Selection, SelectionRules
from suture.core.selection.selector import select
from suture.hosts import facts, patching
from suture.hosts.patching import PatchSession
from suture.services.collecting import clock, nonce

RUNS = 4

Step = Callable[[PatchSession], Awaitable[StepReport]]
_TIMED: tuple[Step, ...] = (patching.apply, patching.restart, patching.verify)


@dataclass(frozen=True)
class Patched:
    """Seconds of the steps of one patched host, the CPU it used, how many packages it got."""

    packages: int
    cpu_s: float
    bundle_s: float
    apply_s: float
    restart_s: float
    verify_s: float
    whole_s: float


@dataclass(frozen=True)
class ByHand:
    """Seconds of ``apt-get install``, and the CPU that its host used."""

    seconds: float
    cpu_s: float


def run(runs: int) -> Report:
    ours: list[Patched] = []
    theirs: list[ByHand] = []
    for number in range(runs):
        with booted_lab() as lab:
            patched, by_hand = asyncio.run(_pair(lab, by_hand_first=number % 2 == 1))
        ours.append(patched)
        theirs.append(by_hand)
    whole, by_hand_s = _each(ours, "whole_s"), _each(theirs, "seconds")
    cpu, by_hand_cpu = _each(ours, "cpu_s"), _each(theirs, "cpu_s")
    return Report(
        title=f"patch: {ours[0].packages} pending security updates of one lab host",
        figures=(
            Figure(
                "ratio_to_apt", "Suture ÷ apt-get by hand", ratios(whole, by_hand_s), "×", "≤ 1.15"
            ),
            Figure("bundle_s", "the return bundle, beforehand", _each(ours, "bundle_s"), "s"),
            Figure("patch_s", "Suture: apply, restart, verify", whole, "s"),
            Figure("apply_s", "of it apply", _each(ours, "apply_s"), "s"),
            Figure("restart_s", "of it restart", _each(ours, "restart_s"), "s"),
            Figure("verify_s", "of it verify", _each(ours, "verify_s"), "s"),
            Figure("apt_s", "apt-get install by hand", by_hand_s, "s"),
            Figure("ratio_cpu", "CPU on the host, Suture ÷ by hand", ratios(cpu, by_hand_cpu), "×"),
            Figure("packages", "packages", (float(ours[0].packages),)),
        ),
        caveats=(
            "Each run boots two identical fresh hosts; the same packages at the same versions are "
            "downloaded to both beforehand. Suture and `ssh host apt-get install -y` take turns at "
            "being first, as the second finds files of the shared root in memory.",
            "By hand, needrestart runs as apt's hook and only lists what is stale, as it does "
            "without a terminal. Suture restarts the stale services, and verifies versions, files, "
            "units, and running code.",
            "The return bundle and the checks before it happen outside the timed part.",
            "Both hosts and the client share this machine's cores and disk.",
        ),
    )


def _each(patched: Sequence[Patched | ByHand], name: str) -> tuple[float, ...]:
    return tuple(getattr(one, name) for one in patched)


async def _pair(lab: Lab, *, by_hand_first: bool) -> tuple[Patched, ByHand]:
    """One host patched by Suture, its twin brother by hand, one after the other."""
    ours, theirs = lab.boot(Wanted("suture"), Wanted("by-hand"))
    async with ours.connect() as transport:
        inventory = await facts.collect(transport, ours.host, now=clock, nonce=nonce())
    plan = _plan(inventory)
    names = _names(plan.changes)
    async with PatchSession(
        plan=plan, plan_id=uuid.uuid4().hex, connect=ours.connect, now=clock
    ) as session:
        for step in (patching.acquire, patching.preflight):
            await _passed(step, session)
        bundle = await _passed(patching.bundle, session)
        theirs.run(f"apt-get install -y -q --download-only {names}")
        run_child([*shlex.split(theirs.ssh_command), "true"])
        if by_hand_first:
            by_hand = _by_hand(theirs, names)
            return await _timed(ours, session, bundle), by_hand
        patched = await _timed(ours, session, bundle)
        return patched, _by_hand(theirs, names)


async def _timed(server: LabHost, session: PatchSession, bundle: StepReport) -> Patched:
    cpu_s, began = host_cpu_s(server), time.perf_counter()
    applied, restarted, verified = [await _passed(step, session) for step in _TIMED]
    return Patched(
        packages=len(session.plan.changes),
        cpu_s=host_cpu_s(server) - cpu_s,
        bundle_s=bundle.seconds,
        apply_s=applied.seconds,
        restart_s=restarted.seconds,
        verify_s=verified.seconds,
        whole_s=time.perf_counter() - began,
    )


async def _passed(step: Step, session: PatchSession) -> StepReport:
    report = await step(session)
    if report.verdict is not Verdict.PASS:
        raise RuntimeError(f"{report.step} on {report.host}: {report.verdict}: {report.reason}")
    return report


def _by_hand(server: LabHost, names: str) -> ByHand:
    command = f"DEBIAN_FRONTEND=noninteractive apt-get install -y -q {names}"
    before = host_cpu_s(server)
    child = run_child([*shlex.split(server.ssh_command), command])
    return ByHand(child.seconds, host_cpu_s(server) - before)


def _names(changes: Iterable[Change]) -> str:
    """The exact versions as words for apt-get."""
    keys = ((one.package if one.arch == "all" else one.key, one.after) for one in changes)
    return " ".join(shlex.quote(f"{key}={version}") for key, version in keys)


def _plan(inventory: Inventory) -> HostPlan:
    """All pending security updates, with what they need."""
    selection: Selection = select(
        inventory,
        rules=SelectionRules(),
        findings=(),
        held_back=(),
        published={},
        today=inventory.collected_at.date(),
    )
    changes = selection.changes
    return HostPlan(
        host=inventory.host,
        release=inventory.os.release,
        arch=inventory.arch,
        package_set=inventory.packages.digest,
        class_id="",
        patch_set=digest(changes),
        changes=changes,
        ledger=selection.ledger,
        closes=(),
        ring="bench",
        service=None,
        checks=(),
        restarts=(),
        reboot=RebootRule.NEVER,
        reboot_expected=False,
        download_bytes=sum(one.size for one in changes),
        estimated_s=1.0,
    )
