"""Writing for many hosts at once: whatever waits goes into one transaction.

A transaction costs a write to the disk that is waited for, and the chain of events has their ends
come one after the other. So hundreds of hosts share one thread and, when they come together, one
transaction. Where one of them is refused, each is given a transaction of its own instead.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog

from suture.engine import stepping
from suture.engine.records import GivenUpError, OvertakenError, writing
from suture.engine.stepping import StepChange, SupersededError
from suture.store import workers
from suture.store.database import Store
from suture.store.errors import StoreError

T = TypeVar("T")

MOST_AT_ONCE = 64
AGAIN_S = 1.0  # after the database refused

log = structlog.get_logger("suture.engine")


@dataclass(frozen=True)
class _Wanted:
    """``act`` is called after ``change`` was written, and not where that was refused."""

    act: Callable[[sa.Connection], Any] | None
    change: StepChange | None = None
    done: Future[Any] = field(default_factory=Future)

    def answer(self, result: Any) -> None:
        """An exception is a refusal."""
        if not self.done.set_running_or_notify_cancel():
            return
        if isinstance(result, BaseException):
            self.done.set_exception(result)
        else:
            self.done.set_result(result)


class Writer:
    """One thread that makes the transactions of a ``worker``; ``close`` it at the end.

    A worker that counts as dead writes nothing: all that it wants then is :class:`GivenUpError`.
    """

    def __init__(self, store: Store, worker: str) -> None:
        self._store = store
        self._worker = worker
        self._waiting: queue.SimpleQueue[_Wanted | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._write, name="store", daemon=True)
        self._thread.start()

    async def transact(self, act: Callable[[sa.Connection], T]) -> T:
        """What ``act`` returned or raised, once it is on the disk.

        It may be called again, where the database was away or another process faster: it reads
        before it writes.
        """
        done: T = await self._done(_Wanted(act))
        return done

    async def change(
        self, change: StepChange, then: Callable[[sa.Connection], Any] | None = None
    ) -> int:
        """The fence for a host's next step, 0 where there is none, once what was found out by the
        last one is on the disk, with what ``then`` writes. Raises :class:`SupersededError`."""
        fence: int = await self._done(_Wanted(then, change))
        return fence

    async def _done(self, wanted: _Wanted) -> Any:
        self._waiting.put(wanted)
        return await asyncio.wrap_future(wanted.done)

    def close(self) -> None:
        """What was not begun is not done, and nobody is told."""
        self._closed.set()
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        while not self._closed.is_set():
            wanted = self._next()
            try:
                results = self._together(wanted)
            except (Exception, GivenUpError):
                for one in wanted:
                    self._alone(one)
            else:
                for one, result in zip(wanted, results, strict=True):
                    one.answer(result)

    def _next(self) -> list[_Wanted]:
        found = [self._waiting.get()]
        while len(found) < MOST_AT_ONCE:
            try:
                found.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return [one for one in found if one is not None]

    def _together(self, wanted: Sequence[_Wanted]) -> list[Any]:
        with writing(self._store) as connection:
            if not workers.is_listed(connection, self._worker):
                raise GivenUpError(self._worker)
            changes = [one.change for one in wanted if one.change]
            now = datetime.now(UTC)
            answers = iter(stepping.write(connection, self._worker, changes, now))
            return [self._answer(connection, one, answers) for one in wanted]

    def _answer(
        self,
        connection: sa.Connection,
        wanted: _Wanted,
        answers: Iterator[int | SupersededError],
    ) -> Any:
        answer = next(answers) if wanted.change else None
        if isinstance(answer, SupersededError) or wanted.act is None:
            return answer
        result = wanted.act(connection)
        return result if answer is None else answer

    def _alone(self, wanted: _Wanted) -> None:
        while not self._closed.is_set():
            try:
                (result,) = self._together([wanted])
            except OvertakenError:
                continue
            except StoreError as error:
                log.error("cannot write, tries again", reason=error.message)
                self._closed.wait(AGAIN_S)
            except BaseException as error:
                return wanted.answer(error)
            else:
                return wanted.answer(result)
        return None
