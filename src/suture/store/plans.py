"""Plans and their rehearsals. A plan is never changed; a correction is a plan of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from suture.core.documents import Document, decode, encode
from suture.core.evidence import Verdict
from suture.core.planning.plan import Plan, plan_id
from suture.core.planning.reading import read_plan
from suture.store.tables import plans, rehearsals


def save(connection: sa.Connection, plan: Plan) -> None:
    """Keep a plan; the same plan again changes nothing."""
    document = encode(plan)
    vars(plan)["id"] = plan_id(document)  # a large plan takes long to encode: once is enough
    if get(connection, plan.id) is None:
        connection.execute(
            sa.insert(plans).values(
                id=plan.id, parent=plan.parent, created_at=plan.created_at, document=document
            )
        )


def get(connection: sa.Connection, plan_id: str) -> Plan | None:
    row = connection.execute(sa.select(plans.c.document).where(plans.c.id == plan_id)).one_or_none()
    return read_plan(row.document) if row else None


def find(connection: sa.Connection, prefix: str) -> tuple[str, ...]:
    """Ids that begin with ``prefix``."""
    rows = connection.execute(
        sa.select(plans.c.id).where(plans.c.id.startswith(prefix, autoescape=True))
    )
    return tuple(row.id for row in rows)


class ListedPlan(Document, frozen=True):
    """A plan in numbers: ``packages`` are the changes of all its hosts, ``cves`` what they close.
    It corrects ``parent``."""

    id: str
    created_at: datetime
    parent: str | None
    hosts: int
    packages: int
    cves: int
    left_out: int


class _CountedHost(msgspec.Struct):
    changes: list[msgspec.Raw]
    closes: list[str]


class _Counted(msgspec.Struct):
    hosts: list[_CountedHost]
    left_out: list[msgspec.Raw]


def listing(connection: sa.Connection) -> tuple[ListedPlan, ...]:
    """All plans, newest first; one at a time is in memory."""
    rows = connection.execute(
        sa.select(plans).order_by(plans.c.created_at.desc()).execution_options(yield_per=1)
    )
    return tuple(_listed(row) for row in rows)


def _listed(row: sa.Row[Any]) -> ListedPlan:
    found = decode(row.document, _Counted)
    return ListedPlan(
        id=row.id,
        created_at=row.created_at,
        parent=row.parent,
        hosts=len(found.hosts),
        packages=sum(len(host.changes) for host in found.hosts),
        cves=len(set().union(*(host.closes for host in found.hosts))),
        left_out=len(found.left_out),
    )


def newest(connection: sa.Connection) -> str | None:
    """The id of the newest plan."""
    by_age = sa.select(plans.c.id).order_by(plans.c.created_at.desc()).limit(1)
    return connection.execute(by_age).scalar_one_or_none()


def corrections(connection: sa.Connection, parent: str) -> tuple[Plan, ...]:
    """The plans that correct ``parent``, newest first."""
    rows = connection.execute(
        sa.select(plans.c.document)
        .where(plans.c.parent == parent)
        .order_by(plans.c.created_at.desc())
    )
    return tuple(read_plan(row.document) for row in rows)


def save_rehearsal(
    connection: sa.Connection,
    *,
    plan: str,
    class_id: str,
    verdict: Verdict,
    ended_at: datetime,
    document: bytes,
) -> None:
    connection.execute(
        sa.insert(rehearsals).values(
            plan=plan,
            class_id=class_id,
            verdict=verdict.value,
            ended_at=ended_at,
            document=document,
        )
    )


def documents(connection: sa.Connection) -> Iterator[tuple[str, bytes]]:
    """Every plan's id and its canonical JSON, as they are stored, whatever they were made."""
    stored = sa.cast(plans.c.document, sa.LargeBinary)
    for plan, document in connection.execute(sa.select(plans.c.id, stored)):
        yield plan, bytes(document)


def rehearsal_documents(
    connection: sa.Connection, plan: str, classes: Iterable[str]
) -> tuple[bytes, ...]:
    """Rehearsals of the plan, and of its classes under other plans, which count for it as well;
    oldest first, as canonical JSON."""
    rows = connection.execute(
        sa.select(rehearsals.c.document)
        .where((rehearsals.c.plan == plan) | rehearsals.c.class_id.in_(sorted(set(classes))))
        .order_by(rehearsals.c.id)
    )
    return tuple(bytes(row.document) for row in rows)


def all_rehearsal_documents(connection: sa.Connection) -> Iterator[tuple[str, bytes]]:
    """Every rehearsal's plan and its canonical JSON, as they are stored."""
    stored = sa.cast(rehearsals.c.document, sa.LargeBinary)
    for plan, document in connection.execute(sa.select(rehearsals.c.plan, stored)):
        yield plan, bytes(document)


class StoredRehearsal(Document, frozen=True):
    """A rehearsal's place in the record; ``document`` is its canonical JSON."""

    class_id: str
    verdict: Verdict
    ended_at: datetime
    document: bytes


def rehearsals_of(connection: sa.Connection, classes: Iterable[str]) -> tuple[StoredRehearsal, ...]:
    """All rehearsals of the classes, under whatever plan; newest first."""
    wanted = rehearsals.c.class_id.in_(sorted(set(classes)))
    return _rehearsals(connection, sa.select(rehearsals).where(wanted))


def latest_rehearsals(connection: sa.Connection, most: int) -> tuple[StoredRehearsal, ...]:
    """The newest rehearsals of whatever class; newest first."""
    return _rehearsals(connection, sa.select(rehearsals).limit(most))


def _rehearsals(
    connection: sa.Connection, query: sa.Select[tuple[object, ...]]
) -> tuple[StoredRehearsal, ...]:
    rows = connection.execute(query.order_by(rehearsals.c.id.desc()))
    return tuple(
        StoredRehearsal(row.class_id, Verdict(row.verdict), row.ended_at, bytes(row.document))
        for row in rows
    )
