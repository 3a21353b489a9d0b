"""Durable execution on DBOS: one short workflow per host, one step per transaction.

A workflow that a crash cut off goes on after its last completed step, in this process or in
another that takes it over. A step that was cut off is run again; the host's own protocol makes
that harmless (a transaction is started once, and a lower fence is refused).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from dbos import DBOS, DBOSConfig, SetWorkflowID

from suture.core import outcomes
from suture.core.documents import Document, decode, encode
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.planner import SCHEMA
from suture.engine import ticks
from suture.store import events, rollouts, workers
from suture.store.database import Store, make_engine

QUEUE = "hosts"
POLLING_S = 0.25

PATCHING = (
    Step.ACQUIRE,
    Step.PREFLIGHT,
    Step.BUNDLE,
    Step.APPLY,
    Step.RESTART,
    Step.REBOOT,
    Step.VERIFY,
)
WAY_BACK = (Step.ROLL_BACK, Step.VERIFY_ROLL_BACK)


class HostWork(Document, frozen=True):
    """One host's part of a rollout, there or back."""

    rollout: str
    host: str
    attempt: int
    way_back: bool

    @property
    def id(self) -> str:
        """The workflow's id: the same work is never enqueued twice."""
        direction = "back" if self.way_back else "patch"
        return f"{self.rollout}:{self.host}:{self.attempt}:{direction}"

    @property
    def steps(self) -> tuple[Step, ...]:
        return WAY_BACK if self.way_back else PATCHING


class StepRunner(Protocol):
    """Does the steps; called on the engine's event loop, many hosts at once."""

    async def run(self, work: HostWork, step: Step, fence: int) -> StepReport:
        """Do one step. Expected failures are in the report."""
        ...

    async def release(self, work: HostWork) -> None:
        """The work has ended: close what was kept open between its steps."""
        ...


@dataclass
class _Context:
    store: Store
    runner: StepRunner


_context: _Context | None = None


def _in_context() -> _Context:
    if _context is None:
        raise RuntimeError("the engine is not running")
    return _context


@contextlib.contextmanager
def running(
    url: str, executor: str, store: Store, runner: StepRunner, *, at_once: int
) -> Iterator[None]:
    """DBOS at work in this process, on a database of its own beside the store's.

    ``executor`` is unique for each process: two that share one would run each other's steps.
    """
    global _context
    engine = make_engine(url)
    config: DBOSConfig = {
        "name": "suture",
        "system_database_url": engine.url.render_as_string(hide_password=False),
        "system_database_engine": engine,
        "executor_id": executor,
        "application_version": f"plan-{SCHEMA}",
        "log_level": "WARNING",
        "console_log_level": "CRITICAL",
        "notification_listener_polling_interval_sec": POLLING_S,
        "use_listen_notify": False,
        "enable_otlp": False,
    }
    logging.getLogger("dbos").propagate = False
    _context = _Context(store=store, runner=runner)
    try:
        DBOS(config=config)
        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=at_once,
            polling_interval_sec=POLLING_S,
            on_conflict="always_update",
        )
        yield
    finally:
        DBOS.destroy()
        _context = None
        engine.dispose()


def enqueue(work: HostWork) -> None:
    """Hand the work to whichever process takes it; the same work again changes nothing."""
    with SetWorkflowID(work.id):
        DBOS.enqueue_workflow(QUEUE, _do_work, encode(work).decode())


def orphans(alive: Collection[str]) -> tuple[str, ...]:
    """Ids of work that was begun by an executor which is not among ``alive``."""
    pending: list[Any] = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
    return tuple(one.workflow_id for one in pending if one.executor_id not in alive)


def resume(work_id: str) -> None:
    """Give begun work back to the queue; it goes on after its last completed step."""
    DBOS.resume_workflow(work_id, queue_name=QUEUE)


@DBOS.workflow(name="host-work", max_recovery_attempts=1000)
async def _do_work(document: str) -> str:
    work = decode(document, HostWork)
    reports: list[StepReport] = []
    for step in work.steps:
        report = decode(await _do_step(document, step.value), StepReport)
        reports.append(report)
        if report.verdict is not Verdict.PASS and not work.way_back:
            break
    await _conclude(document, encode(reports).decode())
    return reports[-1].verdict.value


@DBOS.step(name="step")
async def _do_step(document: str, step: str) -> str:
    context = _in_context()
    work = decode(document, HostWork)
    # Taken anew by whoever runs the step, so that one who lost it is refused by the host.
    with context.store.begin() as connection:
        fence = workers.next_fence(connection, work.host)
        events.append(
            connection,
            at=datetime.now(UTC),
            kind="step.started",
            subject=work.rollout,
            host=work.host,
            data={"step": step, "attempt": work.attempt, "fence": fence},
        )
    report = await context.runner.run(work, Step(step), fence)
    with context.store.begin() as connection:
        if rollouts.save_report(connection, work.rollout, work.attempt, report):
            events.append(
                connection,
                at=datetime.now(UTC),
                kind="step.finished",
                subject=work.rollout,
                host=work.host,
                data=report,
            )
    return encode(report).decode()


@DBOS.step(name="conclude")
async def _conclude(document: str, reports: str) -> None:
    context = _in_context()
    work = decode(document, HostWork)
    read = decode(reports, list[StepReport])
    judge = outcomes.after_way_back if work.way_back else outcomes.after_patching
    phase, reason = judge(read)
    ticks.host_finished(context.store, work.rollout, work.host, phase, reason, datetime.now(UTC))
    await context.runner.release(work)
