"""Rollouts: a state that is advanced by conditional UPDATE, and the reports of their steps.

Two processes may load the same state; only the first to save its successor succeeds, the other
loads again. That makes a tick safe to run anywhere, any number of times. A state is a small
document with a revision, and a row for each host: of ten thousand, those that change are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache

import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.documents import Document, decode, encode
from suture.core.evidence import Step, StepReport
from suture.core.rollout.limits import Elsewhere
from suture.core.rollout.state import HostPhase, HostState, RolloutState, RolloutStatus
from suture.store.database import upsert
from suture.store.tables import reports, rollout_hosts, rollouts

_SKIPPED = HostPhase.SKIPPED
_FETCHING = HostPhase.FETCHING.value
_AT_WORK = [phase.value for phase in HostPhase if phase.is_at_work]


class StoredRollout(Document, frozen=True):
    """A rollout as it is stored; ``revision`` grows with every decision;
    a host that comes to its end is none."""

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
    jumps: Mapping[str, str] | None = None,
) -> None:
    """``jumps`` is host → jump host, for those that are behind one."""
    connection.execute(
        sa.insert(rollouts).values(
            id=state.rollout,
            plan=state.plan,
            status=state.status.value,
            state=encode(replace(state, hosts=())),
            revision=0,
            asked=bool(state.asked),
            without_rehearsal=without_rehearsal,
            actor=actor,
            started_at=now,
        )
    )
    rows = [
        {
            "rollout": state.rollout,
            "host": host.host,
            "place": place,
            "jump": (jumps or {}).get(host.host, ""),
            "phase": host.phase.value,
            "attempt": host.attempt,
            "document": encode(host),
        }
        for place, host in enumerate(state.hosts)
    ]
    if rows:
        connection.execute(sa.insert(rollout_hosts), rows)


def advance(
    connection: sa.Connection,
    rollout: StoredRollout,
    state: RolloutState,
    *,
    ended_at: datetime | None = None,
) -> bool:
    """Replace the state that ``rollout`` was loaded with; False when another was faster: then the
    transaction has to be given up."""
    result = connection.execute(
        sa.update(rollouts)
        .where(rollouts.c.id == rollout.id, rollouts.c.revision == rollout.revision)
        .values(
            status=state.status.value,
            state=encode(replace(state, hosts=())),
            revision=rollout.revision + 1,
            asked=bool(state.asked),
            ended_at=ended_at,
        )
    )
    if result.rowcount != 1:
        return False
    pairs = zip(rollout.state.hosts, state.hosts, strict=True)
    changed = [(old, new) for old, new in pairs if old is not new and old != new]
    return advance_hosts(connection, rollout.id, changed)


def advance_hosts(
    connection: sa.Connection, rollout: str, changed: Sequence[tuple[HostState, HostState]]
) -> bool:
    """Hosts from one state to another; False where one is not in the first any more.

    The rollout's revision stays: whoever decides meanwhile takes a host that comes to its end
    for one at work, and that is on the safe side.
    """
    if not changed:
        return True
    rows = [
        {
            "of_rollout": rollout,
            "of": old.host,
            "old_phase": old.phase.value,
            "old_attempt": old.attempt,
            "new_phase": new.phase.value,
            "new_attempt": new.attempt,
            "new_document": encode(new),
        }
        for old, new in changed
    ]
    return connection.execute(_ADVANCE_HOST, rows).rowcount == len(changed)


# Statements that are executed for each step of each host are made once: SQLAlchemy takes longer
# to make one than SQLite to carry it out.
_ADVANCE_HOST = (
    sa.update(rollout_hosts)
    .where(
        rollout_hosts.c.rollout == sa.bindparam("of_rollout"),
        rollout_hosts.c.host == sa.bindparam("of"),
        rollout_hosts.c.phase == sa.bindparam("old_phase"),
        rollout_hosts.c.attempt == sa.bindparam("old_attempt"),
    )
    .values(
        phase=sa.bindparam("new_phase"),
        attempt=sa.bindparam("new_attempt"),
        document=sa.bindparam("new_document"),
    )
)


def get(connection: sa.Connection, rollout_id: str) -> StoredRollout | None:
    row = connection.execute(sa.select(rollouts).where(rollouts.c.id == rollout_id)).one_or_none()
    return _stored(connection, row) if row else None


def status_of(connection: sa.Connection, rollout_id: str) -> RolloutStatus:
    query = sa.select(rollouts.c.status).where(rollouts.c.id == rollout_id)
    return RolloutStatus(connection.execute(query).scalar_one())


def get_host(connection: sa.Connection, rollout_id: str, host: str) -> HostState | None:
    document = connection.execute(_HOST, {"of_rollout": rollout_id, "of": host}).scalar()
    return decode(document, HostState) if document else None


_HOST = sa.select(rollout_hosts.c.document).where(
    rollout_hosts.c.rollout == sa.bindparam("of_rollout"),
    rollout_hosts.c.host == sa.bindparam("of"),
)


def jump_of(connection: sa.Connection, rollout_id: str, host: str) -> str:
    """The host's jump host, empty for none."""
    query = sa.select(rollout_hosts.c.jump).where(
        rollout_hosts.c.rollout == rollout_id, rollout_hosts.c.host == host
    )
    return connection.execute(query).scalar() or ""


def elsewhere(connection: sa.Connection, rollout_id: str, most: int | None = None) -> Elsewhere:
    """What other rollouts are at work on; ``most`` hosts may be at work in all together."""
    phase = rollout_hosts.c.phase
    rows = connection.execute(
        sa.select(rollout_hosts.c.host, rollout_hosts.c.jump, phase)
        .where(rollout_hosts.c.rollout != rollout_id, phase.in_([*_AT_WORK, _FETCHING]))
        .order_by(rollout_hosts.c.host)
    ).all()
    return Elsewhere(
        at_work=tuple((row.host, row.jump) for row in rows if row.phase != _FETCHING),
        most=most,
        fetching=tuple((row.host, row.jump) for row in rows if row.phase == _FETCHING),
    )


def find(connection: sa.Connection, prefix: str) -> tuple[str, ...]:
    """Ids that begin with ``prefix``."""
    rows = connection.execute(
        sa.select(rollouts.c.id).where(rollouts.c.id.startswith(prefix, autoescape=True))
    )
    return tuple(row.id for row in rows)


def listing(connection: sa.Connection) -> tuple[StoredRollout, ...]:
    """All rollouts, newest first."""
    rows = connection.execute(sa.select(rollouts).order_by(rollouts.c.started_at.desc())).all()
    return tuple(_stored(connection, row) for row in rows)


def newest(connection: sa.Connection) -> str | None:
    query = sa.select(rollouts.c.id).order_by(rollouts.c.started_at.desc()).limit(1)
    return connection.execute(query).scalar()


def to_drive(connection: sa.Connection) -> tuple[str, ...]:
    """Ids of rollouts in which something may still happen: unfinished ones, and those of which
    hosts are on their way back after the end. Oldest first."""
    busy = sa.select(rollout_hosts.c.rollout).where(rollout_hosts.c.phase.in_(_AT_WORK))
    rows = connection.execute(
        sa.select(rollouts.c.id)
        .where(rollouts.c.ended_at.is_(None) | rollouts.c.asked | rollouts.c.id.in_(busy))
        .order_by(rollouts.c.started_at, rollouts.c.id)
    )
    return tuple(row.id for row in rows)


def taking_part(connection: sa.Connection) -> dict[str, tuple[str, RolloutStatus]]:
    """Hosts that have not come to their end in an unfinished rollout, those that are away among
    them → that rollout's id and status."""
    final = [phase.value for phase in HostPhase if phase.is_final and phase is not _SKIPPED]
    rows = connection.execute(
        sa.select(rollout_hosts.c.document, rollouts.c.id, rollouts.c.status)
        .join(rollouts, rollouts.c.id == rollout_hosts.c.rollout)
        .where(rollouts.c.ended_at.is_(None), rollout_hosts.c.phase.not_in(final))
    )
    found = ((decode(row.document, HostState), row) for row in rows)
    return {
        host.host: (row.id, RolloutStatus(row.status))
        for host, row in found
        if host.away or host.phase is not _SKIPPED
    }


def unfinished(connection: sa.Connection) -> tuple[StoredRollout, ...]:
    """Rollouts in which something may still happen."""
    rows = connection.execute(sa.select(rollouts).where(rollouts.c.ended_at.is_(None))).all()
    return tuple(_stored(connection, row) for row in rows)


def since(connection: sa.Connection, then: datetime) -> tuple[StoredRollout, ...]:
    """Rollouts in which something may still happen, or that ended after ``then``."""
    alive = sa.or_(rollouts.c.ended_at.is_(None), rollouts.c.ended_at >= then)
    rows = connection.execute(sa.select(rollouts).where(alive)).all()
    return tuple(_stored(connection, row) for row in rows)


def host_phases(state: RolloutState) -> dict[str, HostPhase]:
    return {host.host: host.phase for host in state.hosts}


def save_reports(
    connection: sa.Connection, given: Iterable[tuple[str, int, StepReport]]
) -> set[tuple[str, str, int, Step]]:
    """Keep steps' reports, each of a rollout and an attempt; (rollout, host, attempt, step) of
    those that are new. Of a repeated step the first report is kept."""
    values = [
        {
            "rollout": rollout,
            "host": report.host,
            "attempt": attempt,
            "step": report.step.value,
            "document": encode(report),
        }
        for rollout, attempt, report in given
    ]
    rows = connection.execute(_new_reports(connection.dialect.name), values)
    return {(row.rollout, row.host, row.attempt, Step(row.step)) for row in rows}


@cache
def _new_reports(dialect: str) -> sa.Executable:
    new = upsert(dialect, reports).on_conflict_do_nothing()
    key = (reports.c.rollout, reports.c.host, reports.c.attempt, reports.c.step)
    statement: sa.Executable = new.returning(*key)
    return statement


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


def _stored(connection: sa.Connection, row: sa.Row[tuple[object, ...]]) -> StoredRollout:
    documents = connection.execute(
        sa.select(rollout_hosts.c.document)
        .where(rollout_hosts.c.rollout == row.id)
        .order_by(rollout_hosts.c.place)
    ).scalars()
    hosts = decode(b"[" + b",".join(documents) + b"]", tuple[HostState, ...])
    return StoredRollout(
        id=row.id,
        plan=row.plan,
        state=replace(decode(row.state, RolloutState), hosts=hosts),
        revision=row.revision,
        without_rehearsal=row.without_rehearsal,
        actor=row.actor,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
