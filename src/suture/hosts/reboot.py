"""Rebooting a host, proved by another boot id."""

from __future__ import annotations

import asyncio
import time

from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.planning.expectations import kernels
from suture.core.planning.plan import REBOOT_BUDGET_S, RebootRule
from suture.core.planning.restarts import LEFT_RUNNING
from suture.hosts.controls import control_functions
from suture.hosts.results import parse_results
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.steps import Outcome, perform, settle
from suture.hosts.transport import HostError

_ASK = (
    "[ ! -e /run/reboot-required ] && [ ! -e /var/run/reboot-required ] "
    '|| printf "required\\t/run/reboot-required is there\\n" >&3\n'
    'stale_processes | while read -r pid unit path; do restartable "$unit" '
    '|| printf "required\\t%s still runs replaced code\\n" "$unit" >&3; done\n'
)


async def reboot(session: PatchSession) -> StepReport:
    """Reboot where the plan's rule says so, and wait until the host is back under a new boot id."""

    async def body() -> Outcome:
        return await reboot_by_rule(session, Step.REBOOT, await _why(session))

    return await perform(session, Step.REBOOT, body, transaction=True, mutates=True)


async def reboot_by_rule(session: PatchSession, step: Step, why: str) -> Outcome:
    """Reboot as the step's transaction, unless the plan forbids it or ``why`` is empty."""
    if session.plan.reboot is RebootRule.NEVER or not why:
        left = f"left to do, for the policy forbids it: {why}" if why else "no reboot needed"
        return Outcome(Verdict.PASS, left, checks=(Check("reboot", Verdict.PASS, left),))
    receipt = await session.transact(step, program("common", "reboot"))
    _, failed = settle(receipt)
    if failed and not receipt.rebooted:
        return failed
    return await wait_for_new_boot(session, receipt.boot_then, why)


async def _why(session: PatchSession) -> str:
    """The reason for a reboot in words, empty where there is none."""
    if session.plan.reboot is RebootRule.ALWAYS:
        return "the policy asks for it after every patch"
    if brought := kernels(session.plan.changes):
        return f"a new kernel: {brought[0]}"
    script = program("common", "query", "stale", "restart", LEFT_RUNNING=LEFT_RUNNING)
    script += control_functions(session)
    script += (_ASK if session.plan.changes else "") + "each_control pending\n"
    result = await session.query(script)
    return ", ".join(sorted({why for (why,) in parse_results(result.stdout).of("required", 1)}))


async def wait_for_new_boot(session: PatchSession, before: str, why: str) -> Outcome:
    """Ask for the boot id until it is another one; a host that is down is expected here."""
    began = time.monotonic()
    budget_s = min(session.plan.reboot_budget_s or REBOOT_BUDGET_S, session.settings.reboot_s)
    while time.monotonic() - began < budget_s:
        try:
            result = await session.query("cat /proc/sys/kernel/random/boot_id", timeout_s=15)
        except HostError:
            result = None
        now = result.stdout.decode("ascii", "replace").strip() if result else ""
        if len(now) == 36 and now != before:
            await session.close()
            took = f"{why}; new boot id {now} after {time.monotonic() - began:.0f} s"
            check = Check("reboot", Verdict.PASS, took)
            return Outcome(Verdict.PASS, took, changed_host=True, checks=(check,))
        await session.close()
        await asyncio.sleep(1.0)
    return Outcome(
        Verdict.INCONCLUSIVE,
        f"no new boot within {budget_s:g} s; look at the host's console",
        changed_host=True,
    )
