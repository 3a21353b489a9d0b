"""Writing for many hosts at once: whatever waits goes into one transaction.

A transaction costs a write to the disk that is waited for, and the chain of events has their ends
come one after the other. So hundreds of hosts share one thread and, when they come together, one
transaction. Where one of them is refused, each is given a transaction of its own instead.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog

from suture.engine.records import GivenUpError, OvertakenError, writing
from suture.store import workers
from suture.store.database import Store
from suture.store.errors import StoreError

T = TypeVar("T")

MOST_AT_ONCE = 64
AGAIN_S = 1.0  # after the database refused

log = structlog.get_logger("suture.engine")


@dataclass(frozen=True)
class _Wanted:
    act: Callable[[sa.Connection], Any]
    done: Future[Any] = field(default_factory=Future)

    def answer(self, result: Any = None, refusal: BaseException | None = None) -> None:
        if not self.done.set_running_or_notify_cancel():
            return
        if refusal is not None:
            self.done.set_exception(refusal)
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
        wanted = _Wanted(act)
        self._waiting.put(wanted)
        done: T = await asyncio.wrap_future(wanted.done)
        return done

    def close(self) -> None:
        """What was not begun is not done, and nobody is told."""
        self._closed.set()
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        while not self._closed.is_set():
            wanted = self._next()
            try:
                results = self._together([one.act for one in wanted])
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

    def _together(self, acts: Sequence[Callable[[sa.Connection], Any]]) -> list[Any]:
        with writing(self._store) as connection:
            if not workers.is_listed(connection, self._worker):
                raise GivenUpError(self._worker)
            return [act(connection) for act in acts]

    def _alone(self, wanted: _Wanted) -> None:
        while not self._closed.is_set():
            try:
                (result,) = self._together([wanted.act])
            except OvertakenError:
                continue
            except StoreError as error:
                log.error("cannot write, tries again", reason=error.message)
                self._closed.wait(AGAIN_S)
            except BaseException as error:
                return wanted.answer(refusal=error)
            else:
                return wanted.answer(result)
        return None
