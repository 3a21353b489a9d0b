"""Installing exactly the plan's bytes, and applying its controls."""

from __future__ import annotations

from suture.core.evidence import Step, StepReport, Verdict
from suture.hosts.controls import control_functions
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.steps import Outcome, package_table, perform, settle, sources_of


async def apply(session: PatchSession) -> StepReport:
    """Install the patch set from the cache, then apply the controls; the host refuses without its
    return bundle."""

    async def body() -> Outcome:
        script = program(
            "common",
            "state",
            "updaters",
            "apt",
            PLAN=package_table(session.plan),
            RETURN_ID=session.bundle_id,
            LOCK_WAIT_S=session.settings.lock_wait_s,
            PAUSE_UPDATERS=int(session.settings.pause_updaters),
        )
        script += control_functions(session) + program("apply")
        receipt = await session.transact(Step.APPLY, script)
        results, failed = settle(receipt)
        if failed is None:
            return Outcome(
                Verdict.PASS,
                changed_host=not results.has("unchanged"),
                checks=results.checks,
                log=receipt.log,
            )
        suspects = sources_of((name for (name,) in results.of("error", 1)), session.plan.changes)
        return Outcome(
            failed.verdict,
            failed.reason,
            changed_host=failed.changed_host,
            suspects=suspects,
            checks=failed.checks,
            log=failed.log,
        )

    return await perform(session, Step.APPLY, body, transaction=True, mutates=True)
