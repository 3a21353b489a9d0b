"""What the steps on one host share: the way to it, the plan, who listens.

A lost connection is reopened within a budget and the same script sent again, which is safe
because every script is: a transaction is started once whoever asks, and the rest only reads.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import msgspec
import stamina

from suture.core.backups import Retention
from suture.core.documents import Document
from suture.core.planning.plan import HostPlan
from suture.core.rollout.ways_back import WayBack
from suture.hosts.transaction import (
    LOG_TAIL,
    OnOutput,
    Receipt,
    Transaction,
    TransactionState,
    bundle_id,
    follow,
    start,
    transaction_id,
)
from suture.hosts.transport import FailureKind, HostError, HostFailure, Result, Transport

T = TypeVar("T")
Connect = Callable[[], AbstractAsyncContextManager[Transport]]
Clock = Callable[[], datetime]

TRANSIENT = (FailureKind.UNREACHABLE, FailureKind.CONNECTION_LOST, FailureKind.TIMEOUT)


class PatchSettings(Document, frozen=True):
    """Limits of the steps, in seconds unless named otherwise.

    ``reconnect_s`` is how long a host may be out of reach before its state counts as unknown,
    ``step_s`` how long one transaction may take before the same is said (it is left running),
    ``reboot_s`` the most of the plan's budget for a reboot that is waited for,
    ``lock_wait_s`` how long other package managers are waited for, ``health_wait_s`` how long
    services have to come up. ``min_free_mib`` is what has to stay free besides what the patches
    need, by path. ``pause_updaters``: whether the timers of other updaters stop for a transaction;
    one that runs is waited for either way. ``retention`` is how long a host keeps return bundles,
    records of transactions, and packages in its cache. Without ``own_kernel`` the host is a twin,
    whose kernel is not the one that it stands for: controls of the running kernel are left out.
    """

    reconnect_s: float = 120.0
    step_s: float = 3600.0
    lock_wait_s: int = 120
    reboot_s: float = 86_400.0
    health_wait_s: int = 20
    clock_skew_s: float = 300.0
    min_free_mib: tuple[tuple[str, int], ...] = ()
    pause_updaters: bool = True
    retention: Retention = Retention()
    own_kernel: bool = True


@dataclass
class PatchSession:
    """One host at work under one plan, attempt and fence; close it, or use it in ``async with``.

    Trying a failed step again takes the next ``attempt``: within one, every step is done once.
    ``way_back`` is there where a person asked for it; without, it belongs to a patch that failed.
    ``protected`` are the rollouts whose return bundles must stay, whatever the retention says.
    Where the rollout ``fetches_ahead``, what it began so has to end before the first step.
    """

    plan: HostPlan
    plan_id: str
    connect: Connect
    now: Clock
    fence: int = 1
    attempt: int = 0
    on_output: OnOutput | None = None
    settings: PatchSettings = field(default_factory=PatchSettings)
    way_back: WayBack | None = None
    protected: tuple[str, ...] = ()
    fetches_ahead: bool = False
    _transport: Transport | None = None
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> PatchSession:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def host(self) -> str:
        return self.plan.host

    def transaction_id(self, step: str) -> str:
        return transaction_id(self.plan_id, self.host, step, self.attempt)

    @property
    def bundle_id(self) -> str:
        """The transaction that keeps the return bundle: the same for every attempt."""
        return bundle_id(self.plan_id, self.host)

    async def query(self, script: str, *, timeout_s: float = 180.0) -> Result:
        """Run a script that changes nothing, again after a lost connection."""
        return await self._persistently(lambda way: way.run(script, timeout_s=timeout_s))

    async def transact(self, step: str, script: str, *, more_s: float = 0.0) -> Receipt:
        """Run ``script`` as the step's transaction, to its end; ``log`` is its whole tail. It may
        take ``more_s`` seconds more than others."""
        tx = Transaction(id=self.transaction_id(step), fence=self.fence, script=script)
        deadline = time.monotonic() + self.settings.step_s + more_s
        receipt = await self._persistently(lambda way: start(way, tx, wait_s=20))
        tail = receipt.log
        self._show(receipt.log)
        while not receipt.state.is_final:
            if time.monotonic() > deadline:
                raise self._out_of_time(tx.id)
            receipt = await self._look(tx, receipt)
            self._show(receipt.log)
            tail = (tail + receipt.log)[-LOG_TAIL:]
        return msgspec.structs.replace(receipt, log=tail[-LOG_TAIL:])

    async def ended(self, tx_id: str, *, within_s: float) -> None:
        """Wait for the end of a transaction that may be at work, no longer than ``within_s``."""
        deadline = time.monotonic() + within_s
        offset = 0
        while time.monotonic() < deadline:
            receipt = await self._follow(tx_id, offset)
            if receipt.state is not TransactionState.RUNNING:
                return
            offset = receipt.offset

    async def _look(self, tx: Transaction, before: Receipt) -> Receipt:
        if before.state in (TransactionState.PREPARED, TransactionState.ABSENT):
            return await self._persistently(lambda way: start(way, tx, wait_s=5))
        return await self._follow(tx.id, before.offset)

    async def _follow(self, tx_id: str, offset: int) -> Receipt:
        return await self._persistently(lambda way: follow(way, tx_id, offset=offset))

    def _show(self, text: str) -> None:
        if self.on_output and text:
            self.on_output(text)

    async def _persistently(self, act: Callable[[Transport], Awaitable[T]]) -> T:
        async for attempt in stamina.retry_context(
            on=_is_transient,
            attempts=None,
            timeout=self.settings.reconnect_s,
            wait_initial=0.2,
            wait_max=5.0,
        ):
            with attempt:
                try:
                    return await act(await self._way())
                except HostError:
                    await self.close()
                    raise
        raise AssertionError("a retry context ends by returning or raising")

    async def _way(self) -> Transport:
        if self._transport is None:
            self._transport = await self._open.enter_async_context(self.connect())
        return self._transport

    async def close(self) -> None:
        """Close the connection; the next step opens another."""
        self._transport = None
        with suppress(HostError, OSError):
            await self._open.aclose()

    def _out_of_time(self, tx_id: str) -> HostError:
        return HostError(
            HostFailure(
                host=self.host,
                kind=FailureKind.TIMEOUT,
                message=f"transaction {tx_id} is still at work after {self.settings.step_s:g} s",
                remedy=f"look at /var/lib/suture/tx/{tx_id}/log on the host; it is left running",
            )
        )


def _is_transient(error: Exception) -> bool:
    return isinstance(error, HostError) and error.failure.kind in TRANSIENT
