"""The state of each feed: where it comes from, when it was last had, what went wrong since."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import sqlalchemy as sa

from suture.core.documents import Document, decode, encode
from suture.store.tables import feeds


class FileState(Document, frozen=True, omit_defaults=True):
    """A file as it was last read: ``etag`` and ``modified`` as its server gave them."""

    sha256: str
    size: int
    etag: str = ""
    modified: str = ""


class FeedState(Document, frozen=True, omit_defaults=True):
    """``publisher`` and ``stale_after_s`` (seconds) are the feed's own. ``mirror`` replaces the
    official address. ``synced_at`` is when the last good sync began, ``checked_at`` when the last
    one was tried, ``error`` why that one failed. ``records`` are those that count now, ``newest``
    the latest day that one of them is dated with. ``reader`` is the version of Suture that read
    the files: another one reads them anew. ``files`` are all that were fetched, ``present`` the
    names of those that hold records.
    """

    name: str
    publisher: str = ""
    stale_after_s: float = 3 * 86400
    mirror: str = ""
    synced_at: datetime | None = None
    checked_at: datetime | None = None
    error: str = ""
    remedy: str = ""
    records: int = 0
    newest: date | None = None
    reader: str = ""
    files: Mapping[str, FileState] = {}
    present: tuple[str, ...] = ()


def get(connection: sa.Connection, name: str) -> FeedState:
    """The state of a feed; of one never tried, that it was never tried."""
    row = connection.execute(sa.select(feeds.c.document).where(feeds.c.name == name)).one_or_none()
    return decode(row.document, FeedState) if row else FeedState(name)


def save(connection: sa.Connection, state: FeedState) -> None:
    connection.execute(sa.delete(feeds).where(feeds.c.name == state.name))
    connection.execute(sa.insert(feeds).values(name=state.name, document=encode(state)))


def listing(connection: sa.Connection) -> dict[str, FeedState]:
    """By name, those that were ever tried or changed."""
    rows = connection.execute(sa.select(feeds))
    return {row.name: decode(row.document, FeedState) for row in rows}
