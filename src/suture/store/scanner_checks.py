"""The catalogues in which scanners say what their checks are about: Qualys's KnowledgeBase.

They are kept as the words of feeds are: what is said anew of a check ends what was said before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import islice

import sqlalchemy as sa

from suture.core.documents import decode
from suture.core.scanners.checks import Check
from suture.store import records
from suture.store.records import Row
from suture.store.tables import feed_records

_FEED = "qualys-knowledgebase"
_BATCH = 5000
_PART = 500  # values in one IN (…)
_current = (feed_records.c.feed == _FEED, feed_records.c.known_until.is_(None))


def row(check: Check) -> Row:
    return records.row(check.id, None, check)


def apply(connection: sa.Connection, new: Iterable[Row], now: datetime) -> int:
    """What is said of some checks; what was said of others stays. Of a check that comes twice the
    last word counts. Answers how many were new or changed."""
    waiting = iter(new)
    began = 0
    while batch := {one.key: one for one in islice(waiting, _BATCH)}:
        began += records.apply_partial(connection, _FEED, "", [*batch.values()], (), now).began
    return began


def about(connection: sa.Connection, ids: Collection[str]) -> dict[str, Check]:
    """Those of the checks ``ids`` that are known."""
    wanted = sorted(ids)
    found: dict[str, Check] = {}
    for start in range(0, len(wanted), _PART):
        query = sa.select(feed_records.c.key, feed_records.c.document).where(
            feed_records.c.key.in_(wanted[start : start + _PART]), *_current
        )
        found |= {row.key: decode(row.document, Check) for row in connection.execute(query)}
    return found


def count(connection: sa.Connection) -> int:
    """How many checks are known."""
    return records.count(connection, _FEED)


def changed_at(connection: sa.Connection) -> datetime | None:
    """When a check was last new or changed, None where no catalogue was ever taken in."""
    return connection.execute(
        sa.select(sa.func.max(feed_records.c.known_from)).where(*_current)
    ).scalar()
