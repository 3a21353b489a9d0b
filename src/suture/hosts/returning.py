"""The return bundle: what the way back needs, on the host's disk before anything is changed."""

from __future__ import annotations

from suture.core.evidence import Step, StepReport, Verdict
from suture.hosts.bundles import retention_functions
from suture.hosts.controls import control_functions
from suture.hosts.data import data_functions, dump_seconds
from suture.hosts.health import health_functions
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.snapshots import volumes_for
from suture.hosts.steps import Outcome, package_table, perform, settle

_BASELINE_WAIT_S = 2


async def bundle(session: PatchSession) -> StepReport:
    """Keep old packages, configuration, marks, services, what controls change, and the health
    checks' answers."""

    async def body() -> Outcome:
        table, refused, notes = await volumes_for(session)
        if refused:
            return refused
        script = program(
            "common",
            "state",
            "health",
            "old-packages",
            "reading",
            PLAN=package_table(session.plan),
            RETURN_ID=session.bundle_id,
            ROLLOUT=session.plan_id,
            VOLUMES=table,
            HEALTH_WAIT_S=_BASELINE_WAIT_S,
        )
        script += health_functions(session.plan.checks)
        script += control_functions(session) + retention_functions(session)
        script += data_functions(session.plan) + program("bundle")
        receipt = await session.transact(Step.BUNDLE, script, more_s=dump_seconds(session.plan))
        results, failed = settle(receipt)
        return failed or Outcome(Verdict.PASS, checks=(*results.checks, *notes), log=receipt.log)

    return await perform(session, Step.BUNDLE, body, transaction=True, mutates=False)
