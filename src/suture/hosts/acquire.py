"""Having everything on the host before it is changed: the plan's packages and the old ones."""

from __future__ import annotations

from suture.core.evidence import Step, StepReport, Verdict
from suture.hosts.bundles import retention_functions
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.steps import Outcome, package_table, perform, settle
from suture.hosts.transaction import transaction_id

FETCH_S = 1800
"""A download ahead of time that takes longer is ended by the host itself."""

_REST_S = 600  # for old packages that have to be rebuilt


async def acquire(session: PatchSession) -> StepReport:
    """Download and check the exact packages of the plan, and find or rebuild the old ones.

    Nothing is installed. Files that are there and match are reused.
    """

    async def body() -> Outcome:
        if session.fetches_ahead:
            await session.ended(_fetch_id(session), within_s=2 * FETCH_S + _REST_S)
        receipt = await session.transact(Step.ACQUIRE, _script(session, 0))
        results, failed = settle(receipt)
        return failed or Outcome(Verdict.PASS, checks=results.checks, log=receipt.log)

    return await perform(session, Step.ACQUIRE, body, transaction=True, mutates=False)


async def fetch(session: PatchSession) -> StepReport:
    """The same ahead of time, as a transaction of its own. It counts for nothing: :func:`acquire`
    asks again, and finds what this one has brought."""

    async def body() -> Outcome:
        receipt = await session.transact(Step.FETCH, _script(session, FETCH_S))
        _, failed = settle(receipt)
        return failed or Outcome(Verdict.PASS)

    return await perform(session, Step.FETCH, body, transaction=True, mutates=False)


def _fetch_id(session: PatchSession) -> str:
    return transaction_id(session.plan_id, session.host, Step.FETCH, 0)


def _script(session: PatchSession, longest_s: int) -> str:
    """``longest_s`` is the most that each of the downloads may take, 0 for no such limit."""
    script = program(
        "common",
        "repack",
        "old-packages",
        PLAN=package_table(session.plan),
        LONGEST_S=longest_s,
    )
    return script + retention_functions(session) + program("acquire")
