"""Having everything on the host before its window: the plan's packages and the old ones."""

from __future__ import annotations

from suture.core.evidence import Step, StepReport, Verdict
from suture.hosts.bundles import retention_functions
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.steps import Outcome, package_table, perform, settle


async def acquire(session: PatchSession) -> StepReport:
    """Download and check the exact packages of the plan, and find or rebuild the old ones.

    Nothing is installed. Files that are there and match are reused.
    """

    async def body() -> Outcome:
        script = program(
            "common",
            "repack",
            "old-packages",
            PLAN=package_table(session.plan),
        )
        script += retention_functions(session) + program("acquire")
        receipt = await session.transact(Step.ACQUIRE, script)
        results, failed = settle(receipt)
        return failed or Outcome(Verdict.PASS, checks=results.checks, log=receipt.log)

    return await perform(session, Step.ACQUIRE, body, transaction=True, mutates=False)
