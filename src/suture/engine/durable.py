"""Durable execution on DBOS: one short workflow for each host's work, from a queue.

A workflow that a crash cut off is begun again, in this process or in another that takes it over,
and goes on after the last step that has its report in the store. A step that was cut off is run
again; the host's own protocol makes that harmless (a transaction is started once, and a lower fence
is refused).

The store is the truth: what DBOS's own database loses in a power cut is enqueued again from the
rollout's rows. So steps are not recorded in DBOS a second time.

Work behind a jump host, or of a site, that has workers of its own is in a queue of its own.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from dbos import (
    DBOS,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    SetWorkflowID,
    WorkflowStatus,
)
from msgspec.structs import replace

from suture.core.documents import Document, decode, encode
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.planning.planner import SCHEMA
from suture.core.rollout import outcomes
from suture.core.rollout.state import HostPhase
from suture.engine import records
from suture.engine.stepping import StepChange
from suture.engine.work import HostWork, StepRunner
from suture.engine.writing import Writer
from suture.store.database import IDLE_S, Store, explained, private_file
from suture.store.query import BUSY_TIMEOUT_S

QUEUE = "hosts"
POLLING_S = 0.25

_THREADS = 4
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class _Context:
    """What the workflows of this process work with."""

    def __init__(
        self,
        store: Store,
        worker: str,
        runner: StepRunner,
        on_end: Callable[[], None],
        engine: sa.Engine,
    ) -> None:
        self.engine = engine
        self.runner = runner
        self.on_end = on_end
        self.writer = Writer(store, worker)
        self.worker = worker

    async def do(self, work: HostWork) -> HostPhase:
        """One host's work from where it stands to its end; the phase that it ended in.

        What was found out by one step is written together with the beginning of the next. The
        fence is taken anew for each step by whoever takes it, so that one who lost the host is
        refused there.
        """
        known = await self.writer.transact(
            lambda connection: records.known_reports(connection, work)
        )
        reports: list[StepReport] = []
        fence = 0

        async def take(asked: HostWork, step: Step) -> StepReport:
            nonlocal fence
            report = known.get(step)
            if report is None:
                fence = await self.writer.change(_change(asked, step, fence, reports))
                report = await self.runner.run(asked, step, fence)
            reports.append(report)
            return report

        for step in work.steps:
            report = await take(work, step)
            if report.verdict is not Verdict.PASS and not work.way_back:
                break
        if work.way_back:
            phase, reason = outcomes.after_way_back(reports, work.how or None, work.stood or None)
        else:
            phase, reason = outcomes.after_patching(reports)
        named = () if work.way_back else outcomes.suspects(reports)
        away = outcomes.is_away(phase, reports)
        if undrain := work.undrain([one.step for one in reports], phase):
            report = await take(replace(work, outcome=phase.value), undrain)
            phase, reason = outcomes.after_undrain(phase, reason, report)
        elif phase is HostPhase.LOST:
            drained = work.is_drained([one.step for one in reports])
            reason = outcomes.left_drained(reason, work.rollout, work.host, drained)
        refused = phase is work.stood and bool(outcomes.refusal(reports))

        def finish(connection: sa.Connection) -> None:
            records.finish_host(
                connection,
                work,
                phase,
                reason,
                _now(),
                suspects=named,
                away=away,
                refused=refused,
            )

        await self.writer.change(_change(work, None, fence, reports), finish)
        return phase


def _change(
    work: HostWork, step: Step | None, fence: int, reports: Sequence[StepReport]
) -> StepChange:
    """With the last report, if it came about here, under ``fence``."""
    return StepChange(work, step, reports[-1] if fence else None, fence)


_context: _Context | None = None


def in_context() -> _Context:
    if _context is None:
        raise RuntimeError("the engine is not running")
    return _context


@contextlib.contextmanager
def running(
    store: Store,
    executor: str,
    runner: StepRunner,
    *,
    at_once: int,
    places: Collection[str] = ("",),
    on_end: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """DBOS at work in this process; ``on_end`` is called, on its thread, as hosts come to an end.

    It takes the work of its ``places`` (see :class:`suture.store.workers.Worker`).

    ``executor`` is unique for each process: two that share one would run each other's steps.
    """
    global _context
    config: DBOSConfig = {
        "name": "suture",
        "executor_id": executor,
        "application_version": f"plan-{SCHEMA}",
        "serializer": DBOSPortableJSONSerializer(),
        "max_executor_threads": _THREADS,
        "log_level": "WARNING",
        "notification_listener_polling_interval_sec": 0.1,
        "scheduler_polling_interval_sec": 3600.0,
        "sys_db_idle_transaction_timeout_sec": IDLE_S,
        "use_listen_notify": False,
        "enable_otlp": False,
    }
    url = store.engine.url
    engine = _sqlite_engine(Path(url.database)) if url.database and _is_sqlite(url) else None
    if engine:
        config["system_database_engine"] = engine
    else:
        config["system_database_url"] = _quick(url).render_as_string(hide_password=False)
    _forward_logs()
    _context = _Context(store, executor, runner, on_end, engine or store.engine)
    try:
        with explaining():
            DBOS(config=config)
            queues = [queue_name(place) for place in places]
            DBOS.listen_queues(queues)
            DBOS.launch()
        for queue in queues:
            share(queue, at_once)
        yield
    finally:
        DBOS.destroy()
        _context.writer.close()
        _context = None
        if engine:
            engine.dispose()


def explaining() -> contextlib.AbstractContextManager[None]:
    """What DBOS's database refuses is a StoreError, like what the store refuses."""
    return explained(in_context().engine)


def queue_name(place: str) -> str:
    """The queue of the workers of a place, or, for "", of all others."""
    return f"{QUEUE}@{place}" if place else QUEUE


def share(queue: str, at_once: int) -> None:
    """Let each process that takes from a queue be at work on so many of its hosts."""
    with explaining():
        DBOS.register_queue(
            queue,
            worker_concurrency=at_once,
            polling_interval_sec=POLLING_S,
            on_conflict="always_update",
        )


def enqueue(work: HostWork, queue: str = QUEUE) -> None:
    """Hand the work to whichever process takes it; the same work again changes nothing."""
    with explaining(), SetWorkflowID(work.id):
        DBOS.enqueue_workflow(queue, _do_work, encode(work).decode())


class Begun(Document, frozen=True):
    """Work of any kind as far as it is known to whoever takes it over; ``host`` is empty for a
    look at a wave."""

    rollout: str
    host: str = ""


def orphans(alive: Collection[str], queues: Collection[str]) -> dict[str, Begun]:
    """Work, by its id, that was begun by an executor which is not among ``alive``, or that waits
    in another queue than ``queues``, the ones that somebody takes from."""
    with explaining():
        return {one.workflow_id: _begun(one) for one in _orphans(alive, queues) if one.input}


def _orphans(alive: Collection[str], queues: Collection[str]) -> Sequence[WorkflowStatus]:
    pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
    left = [one.workflow_id for one in pending if one.executor_id not in alive]
    unserved = {QUEUE, *(queue.name for queue in DBOS.list_queues())} - set(queues)
    if unserved:
        waiting = DBOS.list_workflows(
            status="ENQUEUED", queue_name=sorted(unserved), load_input=False, load_output=False
        )
        left += [one.workflow_id for one in waiting]
    return DBOS.list_workflows(workflow_ids=left, load_output=False) if left else ()


def _begun(workflow: WorkflowStatus) -> Begun:
    assert workflow.input is not None
    return decode(str(workflow.input["args"][0]), Begun)


def resume(work_id: str, queue: str = QUEUE) -> None:
    """Give work back to a queue; it goes on after its last reported step."""
    with explaining():
        DBOS.resume_workflow(work_id, queue_name=queue)


def ended(work_ids: Collection[str]) -> dict[str, str]:
    """Those of the works that do not go on any more, and why: an error, or DBOS's word."""
    if not work_ids:
        return {}
    with explaining():
        found = DBOS.list_workflows(workflow_ids=list(work_ids), status=_ENDED, load_input=False)
    return {one.workflow_id: str(one.error or one.status) for one in found}


@DBOS.workflow(name="host-work", max_recovery_attempts=None)
async def _do_work(document: str) -> str:
    work = decode(document, HostWork)
    context = in_context()
    try:
        phase = await context.do(work)
    finally:
        await context.runner.release(work)
        context.on_end()
    return phase.value


def _now() -> datetime:
    return datetime.now(UTC)


def _is_sqlite(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _quick(url: sa.URL) -> sa.URL:
    """DBOS need not wait for the server's disk at each of its commits: what it loses is enqueued
    again, and the store's next commit takes it to the disk too."""
    options = " ".join((*url.normalized_query.get("options", ()), "-c synchronous_commit=off"))
    return url.update_query_dict({"options": options})


def _sqlite_engine(store: Path) -> sa.Engine:
    """A file beside the store's, so that neither waits for the other's lock."""
    path = store.with_name(f"{store.stem}-engine{store.suffix}")
    private_file(path)
    engine = sa.create_engine(
        f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S}, pool_size=1, max_overflow=0
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        # DBOS relies on the driver to begin each transaction with the write lock.
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


class _Forward(logging.Handler):
    """DBOS's log lines become ours."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger("suture.engine").log(
            record.levelno, record.getMessage(), exc_info=record.exc_info
        )


def _forward_logs() -> None:
    """Given a handler, DBOS does not make one that writes to the terminal."""
    logger = logging.getLogger("dbos")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(_Forward())
