"""The way back: the host as its return bundle recorded it."""

from __future__ import annotations

from suture.core.evidence import Step, StepReport
from suture.hosts.controls import control_functions
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.steps import Outcome, conclude, package_table, perform, settle


async def roll_back(session: PatchSession) -> StepReport:
    """Put packages, configuration, marks, services and controls back as they were before.

    Refused where somebody has changed the same packages since. Works on a half-configured host:
    where apt sees no way, dpkg installs the old packages by name.
    """

    async def body() -> Outcome:
        script = program(
            "common",
            "state",
            "updaters",
            "locks",
            "apt",
            "stale",
            "restart",
            "decisions",
            PLAN=package_table(session.plan),
            RETURN_ID=session.bundle_id,
            LOCK_WAIT_S=session.settings.lock_wait_s,
            PAUSE_UPDATERS=int(session.settings.pause_updaters),
        )
        script += control_functions(session) + program("rollback")
        receipt = await session.transact(Step.ROLL_BACK, script)
        results, failed = settle(receipt)
        if failed:
            return failed
        checks = (*results.checks, *results.notes)
        verdict, reason = conclude(checks)
        return Outcome(verdict, reason, changed_host=True, checks=checks, log=receipt.log)

    return await perform(session, Step.ROLL_BACK, body, transaction=True, mutates=True)
