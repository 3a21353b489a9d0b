"""Restarting what still runs replaced code."""

from __future__ import annotations

from collections.abc import Sequence

from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.planning.restarts import LEFT_RUNNING
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
        script = program("common", "stale", "restart", "restart-main", LEFT_RUNNING=LEFT_RUNNING)
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
    stale = list(results.of("stale", 3))
    if not stale:
        return Check(RUNNING_CODE, Verdict.PASS, "no process runs replaced code")
    return Check(
        RUNNING_CODE,
        Verdict.INCONCLUSIVE,
        f"replaced code still runs in {_processes(stale)}; restart them or reboot the host",
    )


def left_running_the_patch(results: Results) -> Check:
    """After a way back: processes that may still run what was taken back. One that has run since
    before the patch has the code of then in memory, which is the code on disk again."""
    stale = list(results.of("stale", 4))
    since = [one[:3] for one in stale if one[3] != "before"]
    if since:
        return Check(
            RUNNING_CODE,
            Verdict.INCONCLUSIVE,
            f"the version that was taken back still runs in {_processes(since)}, until they are "
            "restarted or the host is rebooted",
        )
    kept = f"; that of before still runs in {_processes(stale)}" if stale else ""
    return Check(RUNNING_CODE, Verdict.PASS, f"no process runs what was taken back{kept}")


def _processes(stale: Sequence[tuple[str, ...]]) -> str:
    """How many, and of which units; each is (pid, unit, path)."""
    paths: dict[str, str] = {}
    for pid, unit, path in (one[:3] for one in stale):
        paths.setdefault(unit if unit != "-" else f"process {pid}", path)
    named = sorted(paths.items())
    more = f" and {len(named) - 8} more" if len(named) > 8 else ""
    what = ", ".join(f"{unit} ({path})" for unit, path in named[:8]) + more
    return f"{len(stale)} process{'' if len(stale) == 1 else 'es'} of {what}"
