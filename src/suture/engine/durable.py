"""Durable execution on DBOS: one short workflow per host, one step per transaction.

A workflow that a crash cut off goes on after its last completed step, in this process or in
another that takes it over. A step that was cut off is run again; the host's own protocol makes
that harmless (a transaction is started once, and a lower fence is refused).

The store is the truth: what DBOS's own database loses in a power cut is enqueued again from the
rollout's rows, and a step that was reported is not taken again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from msgspec.structs import replace

from suture.core.documents import decode, encode
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.planning.planner import SCHEMA
from suture.core.rollout import outcomes
from suture.engine import records
from suture.engine.work import HostWork, StepRunner
from suture.store.database import BUSY_TIMEOUT_S, Store, private_file

T = TypeVar("T")

QUEUE = "hosts"
POLLING_S = 0.25

_THREADS = 4
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class _Context:
    """What the workflows of this process work with.

    One thread makes their transactions: SQLite has one writer anyway, so hundreds of hosts wait
    for it as coroutines.
    """

    def __init__(
        self, store: Store, worker: str, runner: StepRunner, on_end: Callable[[], None]
    ) -> None:
        self.worker = worker
        self.runner = runner
        self.on_end = on_end
        self._store = store
        self._thread = ThreadPoolExecutor(1, "store")

    async def transact(self, act: Callable[[sa.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, records.transact, self._store, act)

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)


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
    on_end: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """DBOS at work in this process; ``on_end`` is called, on its thread, as hosts come to an end.

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
        "use_listen_notify": False,
        "enable_otlp": False,
    }
    url = store.engine.url
    engine = _sqlite_engine(Path(url.database)) if url.database and _is_sqlite(url) else None
    if engine:
        config["system_database_engine"] = engine
    else:
        config["system_database_url"] = url.render_as_string(hide_password=False)
    _forward_logs()
    _context = _Context(store, executor, runner, on_end)
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
        _context.close()
        _context = None
        if engine:
            engine.dispose()


def enqueue(work: HostWork) -> None:
    """Hand the work to whichever process takes it; the same work again changes nothing."""
    with SetWorkflowID(work.id):
        DBOS.enqueue_workflow(QUEUE, _do_work, encode(work).decode())


def orphans(alive: Collection[str]) -> tuple[str, ...]:
    """Ids of work that was begun by an executor which is not among ``alive``."""
    pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
    return tuple(one.workflow_id for one in pending if one.executor_id not in alive)


def resume(work_id: str) -> None:
    """Give begun work back to the queue; it goes on after its last completed step."""
    DBOS.resume_workflow(work_id, queue_name=QUEUE)


def ended(work_ids: Collection[str]) -> dict[str, str]:
    """Those of the works that do not go on any more, and why: an error, or DBOS's word."""
    if not work_ids:
        return {}
    found = DBOS.list_workflows(workflow_ids=list(work_ids), status=_ENDED, load_input=False)
    return {one.workflow_id: str(one.error or one.status) for one in found}


@DBOS.workflow(name="host-work", max_recovery_attempts=None)
async def _do_work(document: str) -> str:
    work = decode(document, HostWork)
    context = in_context()
    try:
        reports: list[StepReport] = []
        for step in work.steps:
            report = decode(await _do_step(document, step.value), StepReport)
            reports.append(report)
            if report.verdict is not Verdict.PASS and not work.way_back:
                break
        if work.way_back:
            phase, reason = outcomes.after_way_back(reports, work.how or None)
        else:
            phase, reason = outcomes.after_patching(reports)
        if undrain := work.undrain([one.step for one in reports], phase):
            last = encode(replace(work, outcome=phase.value)).decode()
            report = decode(await _do_step(last, undrain.value), StepReport)
            phase, reason = outcomes.after_undrain(phase, reason, report)
        named = () if work.way_back else outcomes.suspects(reports)
        away = outcomes.is_away(phase, reports)
        await context.transact(
            lambda connection: records.finish_host(
                connection, work, phase, reason, _now(), suspects=named, away=away
            )
        )
    finally:
        await context.runner.release(work)
        context.on_end()
    return phase.value


@DBOS.step(name="step")
async def _do_step(document: str, step_name: str) -> str:
    context = in_context()
    work, step = decode(document, HostWork), Step(step_name)
    # The fence is taken anew by whoever runs the step, so one who lost the host is refused there.
    fence, report = await context.transact(
        lambda connection: records.begin_step(connection, context.worker, work, step, _now())
    )
    if report is None:
        taken = report = await context.runner.run(work, step, fence)
        await context.transact(
            lambda connection: records.finish_step(connection, work, fence, taken, _now())
        )
    return encode(report).decode()


def _now() -> datetime:
    return datetime.now(UTC)


def _is_sqlite(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _sqlite_engine(store: Path) -> sa.Engine:
    """A file beside the store's, so that neither waits for the other's lock."""
    path = store.with_name(f"{store.stem}-engine{store.suffix}")
    private_file(path)
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S})

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
