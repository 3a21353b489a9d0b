"""Restarting what still runs replaced code."""

from __future__ import annotations

from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.hosts.results import Results
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.steps import Outcome, conclude, perform, settle, sources_of

RUNNING_CODE = "running code"


async def restart(session: PatchSession) -> StepReport:
    """Restart the services of stale processes, and PID 1 in place; the rest is reported.

    What cannot be restarted without harm (the message bus, logins) needs a reboot.
    """

    async def body() -> Outcome:
        if not session.plan.changes:
            untouched = Check("restart", Verdict.PASS, "no package was changed")
            return Outcome(Verdict.PASS, checks=(untouched,))
        script = program("common", "stale", "restart", "restart-main")
        receipt = await session.transact(Step.RESTART, script)
        results, failed = settle(receipt)
        if failed:
            return failed
        checks = (*results.checks, *results.notes)
        verdict, reason = conclude(checks)
        owners = (owner for _, owner in results.of("failed-unit", 2))
        return Outcome(
            verdict,
            reason,
            changed_host=True,
            suspects=sources_of(owners, session.plan.changes),
            checks=checks,
            log=receipt.log,
        )

    return await perform(session, Step.RESTART, body, transaction=True, mutates=True)


def left_running(results: Results) -> Check:
    """Processes that still run replaced code: open findings, not a failure of the patch."""
    units: dict[str, str] = {}
    for pid, unit, path in results.of("stale", 3):
        units.setdefault(unit if unit != "-" else f"process {pid}", path)
    if not units:
        return Check(RUNNING_CODE, Verdict.PASS, "no process runs replaced code")
    what = ", ".join(f"{unit} ({path})" for unit, path in sorted(units.items())[:8])
    return Check(
        RUNNING_CODE,
        Verdict.INCONCLUSIVE,
        f"still run replaced code: {what}; restart them or reboot the host",
    )
