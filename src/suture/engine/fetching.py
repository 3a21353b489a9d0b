"""Bringing packages to hosts ahead of their start, as durable work: one short workflow a host.

One that was cut off is begun again, by this process or another, and finds the host's transaction
where it stands. Whatever comes of it, the host goes on: its own step looks again.
"""

from __future__ import annotations

from datetime import UTC, datetime

from dbos import DBOS, SetWorkflowID

from suture.core.documents import decode, encode
from suture.core.evidence import Verdict
from suture.engine import durable, records
from suture.engine.work import Fetcher, FetchWork, StepRunner


def enqueue(work: FetchWork, queue: str) -> None:
    """Hand the work to whichever process takes it; the same again changes nothing."""
    with durable.explaining(), SetWorkflowID(work.id):
        DBOS.enqueue_workflow(queue, _fetch, encode(work).decode())


async def _problem(runner: StepRunner, work: FetchWork, fence: int) -> str:
    """Why the packages are not there, empty where they are. A defect is a problem of the fetch,
    for the host would wait for its end for ever otherwise."""
    if not isinstance(runner, Fetcher):
        return "this worker cannot bring packages to hosts ahead of time"
    try:
        report = await runner.fetch(work, fence)
    except Exception as error:
        return f"bringing them went wrong: {error!r:.300}"
    return "" if report.verdict is Verdict.PASS else report.reason or report.verdict.value


@DBOS.workflow(name="fetch", max_recovery_attempts=None)
async def _fetch(document: str) -> str:
    try:
        return await _take(document)
    finally:
        durable.in_context().on_end()


@DBOS.step(name="take-fetch")
async def _take(document: str) -> str:
    context = durable.in_context()
    work = decode(document, FetchWork)
    fence = await context.writer.transact(
        lambda connection: records.begin_fetch(connection, context.worker, work, datetime.now(UTC))
    )
    if fence is None:
        return work.id
    problem = await _problem(context.runner, work, fence)
    await context.writer.transact(
        lambda connection: records.finish_fetch(
            connection, work, problem, datetime.now(UTC), fence=fence
        )
    )
    return work.id
