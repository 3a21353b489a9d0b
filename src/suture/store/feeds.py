"""Keeping the state of each feed: where it comes from, when it was last had, what went wrong."""

from __future__ import annotations

import sqlalchemy as sa

from suture.core.documents import decode, encode
from suture.store.knowledge import FeedState
from suture.store.tables import feeds


def get(connection: sa.Connection, name: str) -> FeedState:
    """The state of a feed; of one never tried, that it was never tried."""
    row = connection.execute(sa.select(feeds.c.document).where(feeds.c.name == name)).one_or_none()
    return decode(row.document, FeedState) if row else FeedState(name)


def save(connection: sa.Connection, state: FeedState) -> None:
    connection.execute(sa.delete(feeds).where(feeds.c.name == state.name))
    connection.execute(sa.insert(feeds).values(name=state.name, document=encode(state)))
