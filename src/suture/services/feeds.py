"""The feeds of an installation: how old each is, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from suture.core.documents import Document
from suture.feeds.feed import Feed
from suture.services import fleet, syncing
from suture.services.collecting import clock
from suture.services.errors import NotFoundError, ServiceError
from suture.services.workspace import Workspace
from suture.store import events, feeds, knowledge
from suture.store.knowledge import FeedState


class FeedStatus(Document, frozen=True):
    """``age_s`` is the time since the last good sync, None before the first; ``stale``: the word
    of this feed is too old to be relied on. ``used``: it is synced where no name is given."""

    name: str
    publisher: str
    title: str
    url: str
    mirror: str
    used: bool
    records: int
    newest: date | None
    synced_at: datetime | None
    checked_at: datetime | None
    age_s: float | None
    stale: bool
    error: str
    remedy: str


def status(workspace: Workspace, known: Mapping[str, Feed]) -> tuple[FeedStatus, ...]:
    """All feeds, those in use first."""
    now = clock()
    with fleet.opened(workspace) as store:
        used = {feed.name for feed in syncing.chosen(store, known, ())}
        with store.query() as query:
            states = knowledge.feeds(query)
    found = [
        _status(feed, states.get(feed.name) or FeedState(feed.name), feed.name in used, now)
        for feed in known.values()
    ]
    return tuple(sorted(found, key=lambda one: (not (one.used or one.synced_at), one.name)))


def _status(feed: Feed, state: FeedState, used: bool, now: datetime) -> FeedStatus:
    age = None if state.synced_at is None else (now - state.synced_at).total_seconds()
    return FeedStatus(
        name=feed.name,
        publisher=feed.publisher,
        title=feed.title,
        url=feed.url,
        mirror=state.mirror,
        used=used,
        records=state.records,
        newest=state.newest,
        synced_at=state.synced_at,
        checked_at=state.checked_at,
        age_s=age,
        stale=age is not None and age > feed.stale_after_s,
        error=state.error,
        remedy=state.remedy,
    )


def set_mirror(workspace: Workspace, known: Mapping[str, Feed], name: str, place: str) -> str:
    """Take ``name`` from ``place`` from now on: a URL, or a directory with the publisher's own
    layout; empty for the official address again. Answers the place as it is kept."""
    if name not in known:
        raise NotFoundError(f"no feed {name!r:.80}", "List them: suture feeds status")
    kept = _place(place) if place else ""
    with fleet.opened(workspace) as store, store.begin() as connection:
        feeds.save(connection, replace(feeds.get(connection, name), mirror=kept))
        events.append(
            connection, at=clock(), kind="feed.mirror", subject=name, data={"mirror": kept}
        )
    return kept


def _place(place: str) -> str:
    parts = urlsplit(place)
    if parts.scheme in ("http", "https") and parts.hostname:
        if "@" in parts.netloc:
            raise ServiceError(
                "a password in an address ends up in logs",
                "Let the mirror trust this machine's address instead.",
            )
        return place if place.endswith("/") else place + "/"
    directory = Path(place.removeprefix("file://")).absolute()
    if parts.scheme not in ("", "file") or not directory.is_dir():
        raise ServiceError(
            f"neither a URL nor a directory: {place!r:.200}",
            "Write https://mirror.example/path/ or the path of a directory.",
        )
    return str(directory)
