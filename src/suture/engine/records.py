"""What the engine writes about hosts besides their steps, and the transactions it does it in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.evidence import Step, StepReport
from suture.core.planning.plan import Plan
from suture.core.rollout import canary, transitions
from suture.core.rollout.gates import Look
from suture.core.rollout.state import HostPhase, RolloutState, RolloutStatus
from suture.engine.work import FetchWork, HostWork, LookWork
from suture.store import events, looks, rollouts, workers
from suture.store.database import Store, release_when_idle
from suture.store.errors import DeadlockError
from suture.store.rollouts import StoredRollout

T = TypeVar("T")


class OvertakenError(Exception):
    """Another process changed the rollout meanwhile: load it again."""


class GivenUpError(asyncio.CancelledError):
    """This worker counts as dead, so it may begin nothing. A cancellation to DBOS, which then
    leaves the work as it is for another worker."""


def transact(store: Store, act: Callable[[sa.Connection], T]) -> T:
    """A decision: ``act`` in a transaction of its own, again where another process was faster."""
    while True:
        try:
            with deciding(store) as connection:
                return act(connection)
        except OvertakenError:
            continue


@contextmanager
def deciding(store: Store) -> Iterator[sa.Connection]:
    """A transaction that decides by what it reads of more than one rollout or worker: what others
    are at work on counts against limits that all share. So such decisions are made one after the
    other, while hosts' reports are written beside them."""
    with writing(store) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(727475)")
        yield connection


@contextmanager
def writing(store: Store) -> Iterator[sa.Connection]:
    """A transaction of the engine; of a process that stands still it is given up. Raises
    :class:`OvertakenError` where it and another wait for one another's rows."""
    try:
        with store.begin() as connection:
            release_when_idle(connection)
            yield connection
    except DeadlockError as error:
        raise OvertakenError(error.message) from error


def known_reports(connection: sa.Connection, work: HostWork) -> dict[Step, StepReport]:
    """The steps of this attempt that have been reported: they are not taken again."""
    found = rollouts.step_reports(connection, work.rollout, host=work.host, attempt=work.attempt)
    return {report.step: report for report in found}


def finish_host(
    connection: sa.Connection,
    work: HostWork,
    phase: HostPhase,
    reason: str,
    now: datetime,
    *,
    suspects: Sequence[str] = (),
    away: bool = False,
    refused: bool = False,
) -> bool:
    """Record how a host's work ended; False where it is not at that work any more. ``refused`` is
    a way back that changed nothing: others that wait for theirs go on."""
    before = rollouts.get_host(connection, work.rollout, work.host)
    if before is None or not work.is_current(before):
        return False
    if transitions.drops_asked(before, phase) and not refused:
        rollout = get(connection, work.rollout)
        state = transitions.host_finished(rollout.state, work.host, phase, reason, now)
        advance(connection, rollout, state)
    else:
        after = transitions.host_ended(
            before, phase, reason, now, suspects=suspects, away=away, refused=refused
        )
        if not rollouts.advance_hosts(connection, work.rollout, [(before, after)]):
            raise OvertakenError(work.rollout)
    events.append(
        connection,
        at=now,
        kind=f"host.{phase.value}",
        subject=work.rollout,
        host=work.host,
        data={"reason": reason},
    )
    return True


def begin_fetch(
    connection: sa.Connection, worker: str, work: FetchWork, now: datetime
) -> int | None:
    """The fence for bringing packages to a host, None where that is not asked for any more. Where
    the rollout was stopped meanwhile, it ends here."""
    before = rollouts.get_host(connection, work.rollout, work.host)
    if before is None or before.phase is not HostPhase.FETCHING:
        return None
    status = rollouts.status_of(connection, work.rollout)
    if status is not RolloutStatus.RUNNING:
        finish_fetch(connection, work, f"the rollout is {status}", now)
        return None
    return workers.next_fence(connection, work.host, worker)


def finish_fetch(
    connection: sa.Connection,
    work: FetchWork,
    problem: str,
    now: datetime,
    *,
    fence: int | None = None,
) -> None:
    """The host waits for its start again, with its packages or, for a ``problem``, without.

    Only for the holder of the newest fence, or without one where nobody is at it any more.
    """
    before = rollouts.get_host(connection, work.rollout, work.host)
    if before is None or before.phase is not HostPhase.FETCHING:
        return
    if fence is not None and workers.current_fence(connection, work.host) != fence:
        return
    reason = f"its packages are not there yet: {problem}" if problem else "its packages are there"
    after = transitions.host_ended(before, HostPhase.WAITING, reason, now, fetched=not problem)
    if not rollouts.advance_hosts(connection, work.rollout, [(before, after)]):
        raise OvertakenError(work.rollout)
    events.append(
        connection,
        at=now,
        kind="host.not-fetched" if problem else "host.fetched",
        subject=work.rollout,
        host=work.host,
        data={"reason": reason},
    )


def finish_look(
    connection: sa.Connection, plan: Plan, work: LookWork, look: Look, now: datetime
) -> None:
    """Keep a look, and what all so far amount to; once, however often it was taken."""
    if not looks.save(connection, work.rollout, look):
        return
    rollout = get(connection, work.rollout)
    wave = next(one for one in plan.waves if one.index == work.wave)
    known = looks.of_wave(connection, work.rollout, work.wave)
    judged = canary.verdict_of(plan, rollout.state, wave, known)
    verdict, reason = (judged.verdict, judged.reason) if judged else (None, "")
    state = transitions.look_done(rollout.state, work.wave, work.number, verdict, reason)
    advance(connection, rollout, state)
    if judged:
        events.append(
            connection,
            at=now,
            kind=f"gate.{judged.verdict.value}",
            subject=work.rollout,
            data=judged,
        )


def get(connection: sa.Connection, rollout_id: str) -> StoredRollout:
    """Raises :class:`LookupError`."""
    rollout = rollouts.get(connection, rollout_id)
    if rollout is None:
        raise LookupError(f"no rollout {rollout_id}")
    return rollout


def advance(
    connection: sa.Connection,
    rollout: StoredRollout,
    state: RolloutState,
    ended_at: datetime | None = None,
) -> StoredRollout:
    """Save the successor of the state that was loaded; raises :class:`OvertakenError`."""
    ended_at = ended_at or rollout.ended_at
    if state == rollout.state and ended_at == rollout.ended_at:
        return rollout
    if not rollouts.advance(connection, rollout, state, ended_at=ended_at):
        raise OvertakenError(rollout.id)
    return replace(rollout, state=state, revision=rollout.revision + 1, ended_at=ended_at)
