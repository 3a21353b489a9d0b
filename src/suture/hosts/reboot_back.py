"""The reboot of a way back: what was taken back runs on where only a reboot ends it.

What counts is what runs, compared with what ran when the return bundle was made. The plan's rule
decides as on the way there, but ``always`` is for patches: nothing that is as before is rebooted.
"""

from __future__ import annotations

from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.planning.expectations import kernels
from suture.core.planning.plan import HostPlan, RebootRule
from suture.hosts.reboot import reboot_by_rule
from suture.hosts.results import Results
from suture.hosts.rollback import way_back_functions
from suture.hosts.services import RUNNING_CODE
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.steps import Outcome, perform, read_query

RUNNING_KERNEL = "running kernel"


async def reboot_roll_back(session: PatchSession) -> StepReport:
    """Reboot where the kernel, or a process that cannot be restarted, is not that of before, and
    wait for the new boot id. Where packages were not put back, a reboot would bring nothing."""

    async def body() -> Outcome:
        asked = program(
            BACK_ID=session.transaction_id(Step.ROLL_BACK),
            REBOOT_ID=session.transaction_id(Step.REBOOT_ROLL_BACK),
        )
        script = asked + way_back_functions(session) + program("query", "reboot-back")
        results, failed = read_query(await session.query(script, timeout_s=300))
        if failed:
            return failed
        why = what_needs_it(session.plan, results)
        return await reboot_by_rule(session, Step.REBOOT_ROLL_BACK, why)

    return await perform(session, Step.REBOOT_ROLL_BACK, body, transaction=True, mutates=True)


def what_needs_it(plan: HostPlan, results: Results) -> str:
    """The reason for a reboot in words, empty where there is none."""
    reasons = {why for (why,) in results.of("required", 1)}
    for before, now in results.of("kernel", 2):
        if kernels(plan.changes) and before and before != now:
            reasons.add(f"the kernel {now} runs, {before} did before")
    return ", ".join(sorted(reasons))


def kernel_checks(plan: HostPlan, results: Results) -> tuple[Check, ...]:
    """After a way back, whether the kernel of before runs; nothing where the plan brings none.

    Where the policy forbids the reboot, and where an older bundle does not say what ran, it is
    said beside the rest, as :data:`RUNNING_CODE` is.
    """
    found = next(iter(results.of("kernel", 2)), None)
    if not kernels(plan.changes) or found is None:
        return ()
    before, now = found
    if before == now:
        return (Check(RUNNING_KERNEL, Verdict.PASS, f"{now}, as before"),)
    if not before:
        detail = f"the kernel {now} runs; the return bundle does not say which ran before"
        return (Check(RUNNING_CODE, Verdict.INCONCLUSIVE, detail),)
    if plan.reboot is RebootRule.NEVER:
        detail = (
            f"the kernel {now} still runs, {before} did before; the policy forbids the reboot, so "
            "reboot the host by hand"
        )
        return (Check(RUNNING_CODE, Verdict.INCONCLUSIVE, detail),)
    detail = f"{now} runs, {before} did before; see which kernel the host boots, then reboot it"
    return (Check(RUNNING_KERNEL, Verdict.FAIL, detail),)
