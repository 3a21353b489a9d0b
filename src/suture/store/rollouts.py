"""Rollouts: a state that is advanced by conditional UPDATE, and the reports of their steps.

Two processes may load the same state; only the first to save its successor succeeds, the other
loads again. That makes a tick safe to run anywhere, any number of times.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from suture.core.documents import Document, decode, encode
from suture.core.evidence import StepReport
from suture.core.rollout.progress import HostPhase, RolloutState
from suture.store.tables import reports, rollouts


class StoredRollout(Document, frozen=True):
    """A rollout as it is stored; ``revision`` grows with every change of ``state``."""

    id: str
    plan: str
    state: RolloutState
    revision: int
    without_rehearsal: bool
    actor: str
    started_at: datetime
    ended_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Nothing will happen to it any more."""
        return self.ended_at is not None


def create(
    connection: sa.Connection,
    state: RolloutState,
    *,
    actor: str,
    without_rehearsal: bool,
    now: datetime,
) -> None:
    connection.execute(
        sa.insert(rollouts).values(
            id=state.rollout,
            plan=state.plan,
            status=state.status.value,
            state=encode(state),
            revision=0,
            without_rehearsal=without_rehearsal,
            actor=actor,
            started_at=now,
        )
    )


def advance(
    connection: sa.Connection,
    rollout: StoredRollout,
    state: RolloutState,
    *,
    ended_at: datetime | None = None,
) -> bool:
    """Replace the state that ``rollout`` was loaded with; False when another was faster."""
    result = connection.execute(
        sa.update(rollouts)
        .where(rollouts.c.id == rollout.id, rollouts.c.revision == rollout.revision)
        .values(
            status=state.status.value,
            state=encode(state),
            revision=rollout.revision + 1,
            ended_at=ended_at,
        )
    )
    return result.rowcount == 1


def get(connection: sa.Connection, rollout_id: str) -> StoredRollout | None:
    row = connection.execute(sa.select(rollouts).where(rollouts.c.id == rollout_id)).one_or_none()
    return _stored(row) if row else None


def find(connection: sa.Connection, prefix: str) -> tuple[str, ...]:
    """Ids that begin with ``prefix``."""
    rows = connection.execute(
        sa.select(rollouts.c.id).where(rollouts.c.id.startswith(prefix, autoescape=True))
    )
    return tuple(row.id for row in rows)


def listing(connection: sa.Connection) -> tuple[StoredRollout, ...]:
    """All rollouts, newest first."""
    rows = connection.execute(sa.select(rollouts).order_by(rollouts.c.started_at.desc()))
    return tuple(_stored(row) for row in rows)


def unfinished(connection: sa.Connection) -> tuple[StoredRollout, ...]:
    """Rollouts in which something may still happen."""
    rows = connection.execute(sa.select(rollouts).where(rollouts.c.ended_at.is_(None)))
    return tuple(_stored(row) for row in rows)


def since(connection: sa.Connection, then: datetime) -> tuple[StoredRollout, ...]:
    """Rollouts in which something may still happen, or that ended after ``then``."""
    alive = sa.or_(rollouts.c.ended_at.is_(None), rollouts.c.ended_at >= then)
    rows = connection.execute(sa.select(rollouts).where(alive))
    return tuple(_stored(row) for row in rows)


def host_phases(state: RolloutState) -> dict[str, HostPhase]:
    return {host.host: host.phase for host in state.hosts}


def save_report(connection: sa.Connection, rollout: str, attempt: int, report: StepReport) -> bool:
    """Keep a step's report; False when this attempt has one already (a repeated step)."""
    where = (
        reports.c.rollout == rollout,
        reports.c.host == report.host,
        reports.c.attempt == attempt,
        reports.c.step == report.step.value,
    )
    if connection.execute(sa.select(reports.c.id).where(*where)).first() is not None:
        return False
    connection.execute(
        sa.insert(reports).values(
            rollout=rollout,
            host=report.host,
            attempt=attempt,
            step=report.step.value,
            document=encode(report),
        )
    )
    return True


def step_reports(
    connection: sa.Connection,
    rollout: str,
    *,
    host: str | None = None,
    attempt: int | None = None,
) -> tuple[StepReport, ...]:
    """The rollout's reports in the order they were written."""
    query = sa.select(reports.c.document).where(reports.c.rollout == rollout)
    if host is not None:
        query = query.where(reports.c.host == host)
    if attempt is not None:
        query = query.where(reports.c.attempt == attempt)
    rows = connection.execute(query.order_by(reports.c.id))
    return tuple(decode(row.document, StepReport) for row in rows)


def recent_runs(connection: sa.Connection, most: int) -> tuple[tuple[StepReport, ...], ...]:
    """The newest ``most`` reports of all rollouts, those of each run of a host together."""
    rows = connection.execute(
        sa.select(reports.c.rollout, reports.c.host, reports.c.attempt, reports.c.document)
        .order_by(reports.c.id.desc())
        .limit(most)
    )
    runs: dict[tuple[str, str, int], list[StepReport]] = {}
    for rollout, host, attempt, document in rows:
        runs.setdefault((rollout, host, attempt), []).append(decode(document, StepReport))
    return tuple(tuple(run) for run in runs.values())


def report_documents(
    connection: sa.Connection,
) -> Iterator[tuple[tuple[str, str, int, str], bytes]]:
    """Every report of every rollout as it is stored: (rollout, host, attempt, step), JSON."""
    key = (reports.c.rollout, reports.c.host, reports.c.attempt, reports.c.step)
    stored = sa.cast(reports.c.document, sa.LargeBinary)
    for *names, document in connection.execute(sa.select(*key, stored).order_by(reports.c.id)):
        yield (names[0], names[1], names[2], names[3]), bytes(document)


def _stored(row: sa.Row[tuple[object, ...]]) -> StoredRollout:
    return StoredRollout(
        id=row.id,
        plan=row.plan,
        state=decode(row.state, RolloutState),
        revision=row.revision,
        without_rehearsal=row.without_rehearsal,
        actor=row.actor,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
