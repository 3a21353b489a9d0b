"""Looking at waves, as durable work: one short workflow a look.

A look that was cut off is taken again, by this process or another; only one of its number is kept.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID

from suture.core.documents import decode, encode
from suture.core.rollout.gates import Look
from suture.engine import durable, records
from suture.engine.work import Looker, LookWork, StepRunner
from suture.store import plans


def enqueue(work: LookWork, queue: str) -> None:
    """Hand the look to whichever process takes it; the same again changes nothing."""
    with durable.explaining(), SetWorkflowID(work.id):
        DBOS.enqueue_workflow(queue, _look, encode(work).decode())


async def _looked(runner: StepRunner, work: LookWork) -> Look:
    """A defect is a problem of the look, for the rollout would wait for it for ever otherwise."""
    if isinstance(runner, Looker):
        try:
            return await runner.look(work)
        except Exception as error:
            problem = f"looking at it went wrong: {error!r:.300}"
    else:
        problem = "this worker cannot look at hosts; let another drive the rollout"
    return Look(work.wave, work.number, datetime.now(UTC), problem=problem)


@DBOS.workflow(name="look", max_recovery_attempts=None)
async def _look(document: str) -> str:
    try:
        return await _take(document)
    finally:
        durable.in_context().on_end()


@DBOS.step(name="take-look")
async def _take(document: str) -> str:
    context = durable.in_context()
    work = decode(document, LookWork)
    look = await _looked(context.runner, work)

    def keep(connection: sa.Connection) -> None:
        plan = plans.get(connection, records.get(connection, work.rollout).plan)
        assert plan is not None
        records.finish_look(connection, plan, work, look, datetime.now(UTC))

    await context.writer.transact(keep)
    return work.id
