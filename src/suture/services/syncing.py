"""Syncing feeds: fetch what has changed, read it, and take it whole or not at all."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa
from msgspec.structs import replace

from suture import __version__
from suture.core.documents import Document
from suture.feeds.feed import Feed, FeedError, FeedFile
from suture.feeds.fetching import FileSource
from suture.reading import UnreadableError
from suture.services import fleet
from suture.services.arrivals import Arrival, note
from suture.services.collecting import clock
from suture.services.errors import NotFoundError, RefusedError
from suture.services.spooling import Spool, spool
from suture.services.workspace import Workspace
from suture.store import events, feeds, observations, records, scores
from suture.store.database import Store
from suture.store.knowledge import FeedState, FileState

Progress = Callable[[str, str, int, int | None], None]
"""Called with the feed, what is being done, how far it is and, where known, of how much."""

_LEAST_SHARE = 0.7  # a feed with fewer of its records than that has shrunk suspiciously
_FEW = 20  # and one with so few may lose any number
_BEHIND = timedelta(days=1)  # what a publisher's whole files may be behind its files of changes


class Outcome(StrEnum):
    SYNCED = "synced"
    UNCHANGED = "unchanged"
    FAILED = "failed"


class Synced(Document, frozen=True):
    """What became of one feed: how many records it has now, how many rows began and ended, and
    what that newly opens on the fleet."""

    feed: str
    outcome: Outcome
    records: int
    began: int = 0
    ended: int = 0
    seconds: float = 0.0
    arrivals: tuple[Arrival, ...] = ()
    error: str = ""
    remedy: str = ""


_KEPT = "The last good state of this feed stays in use; try again later."


class _Suspicious(Exception):  # noqa: N818
    """The feed is well-formed and can hardly be right."""

    remedy = "If its publisher really says so: suture feeds sync --accept"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def sync(
    workspace: Workspace,
    known: Mapping[str, Feed],
    names: Sequence[str] = (),
    *,
    accept: bool = False,
    progress: Progress,
) -> Iterator[Synced]:
    """Sync the feeds called ``names``, else those that concern the fleet, one after another.

    A feed that fails keeps its last good state. ``accept`` takes a feed that has shrunk or gone
    back in time as well. Raises :class:`NotFoundError` for a name that no feed has.
    """
    with fleet.opened(workspace) as store:
        for feed in chosen(store, known, names):
            with _locked(workspace.feeds / feed.name):
                yield _FeedSync(workspace, store, feed, accept, progress).run()


def chosen(store: Store, known: Mapping[str, Feed], names: Sequence[str]) -> tuple[Feed, ...]:
    """The named feeds, else the default ones about the fleet's systems and about CVEs."""
    for name in names:
        if name not in known:
            raise NotFoundError(f"no feed {name!r:.80}", "List them: suture feeds status")
    if names:
        return tuple(known[name] for name in names)
    with store.query() as query:
        systems = {one.os.id for one in observations.latest(query).values()}
    return tuple(
        feed
        for feed in known.values()
        if feed.default and (not feed.systems or not systems.isdisjoint(feed.systems))
    )


class _FeedSync:
    """One sync of one feed: fetched, read to a spool, and only then stored in one transaction."""

    def __init__(
        self, workspace: Workspace, store: Store, feed: Feed, accept: bool, progress: Progress
    ) -> None:
        self._directory = workspace.feeds / feed.name
        self._store = store
        self._feed = feed
        self._accept = accept
        self._progress = progress
        self._began = clock()
        with store.read() as connection:
            self._before = feeds.get(connection, feed.name)

    @property
    def _anew(self) -> bool:
        """Whether another version read what is stored: then all of it is fetched and read again,
        and not only what has changed since. Scores keep their days; none of them is made anew."""
        return self._before.reader != __version__

    def run(self) -> Synced:
        started = time.monotonic()
        try:
            done = self._take()
        except (FeedError, UnreadableError, _Suspicious) as error:
            done = self._failed(error)
        if done.began and self._feed.systems:
            arrivals = note(self._store, self._feed.name, self._began)
            done = replace(done, arrivals=arrivals)
        return replace(done, seconds=round(time.monotonic() - started, 3))

    def _take(self) -> Synced:
        files, after = self._fetch()
        if not files:
            raise FeedError("the feed has no files any more")
        to_read = [file for file in files if self._anew or file.changed or file.removed]
        if not to_read and after.present == self._before.present:
            with self._store.begin() as connection:
                feeds.save(connection, after)
            return Synced(self._feed.name, Outcome.UNCHANGED, after.records)
        if self._feed.scores is not None:
            return self._take_scores(to_read, after)
        with ExitStack() as stack:
            read = [(file, stack.enter_context(self._read(file))) for file in to_read]
            complete = not any(file.partial for file in files)
            if complete and len(read) == len(files):
                self._check_time(max((one.newest for _, one in read if one.newest), default=None))
            return self._take_records(read, after, complete=complete)

    def _fetch(self) -> tuple[Sequence[FeedFile], FeedState]:
        """The files, and the state to keep when all goes well."""
        before = self._before
        source = FileSource(
            url=before.mirror or self._feed.url,
            directory=self._directory,
            seen=before.files,
            since=None if self._anew and self._feed.scores is None else before.synced_at,
            progress=lambda name, done, total: self._progress(
                self._feed.name, f"fetching {name}", done, total
            ),
        )
        files = self._feed.fetch(source)
        fetched = {
            name: FileState(one.sha256, one.size, one.validators.etag, one.validators.modified)
            for name, one in source.fetched.items()
            if not one.file.partial
        }
        is_partial = any(file.partial for file in files)
        return files, replace(
            before,
            publisher=self._feed.publisher,
            stale_after_s=self._feed.stale_after_s,
            synced_at=self._began,
            checked_at=self._began,
            error="",
            remedy="",
            reader=__version__,
            files={**before.files, **fetched} if is_partial else fetched,
            present=before.present if is_partial else tuple(sorted({f.name for f in files})),
        )

    @contextmanager
    def _read(self, file: FeedFile) -> Iterator[Spool]:
        assert self._feed.parse is not None
        with spool(self._directory) as filled:
            self._progress(self._feed.name, f"reading {file.name}", 0, None)
            filled.fill(self._feed.parse(file))
            yield filled

    def _take_records(
        self, read: Sequence[tuple[FeedFile, Spool]], after: FeedState, *, complete: bool
    ) -> Synced:
        name, began = self._feed.name, self._began
        self._progress(name, "storing", 0, None)
        with self._store.begin() as connection:
            applied = [
                records.apply_partial(
                    connection, name, file.name, list(one.rows()), file.removed, began
                )
                if file.partial
                else records.apply(connection, name, file.name, one.rows(), began)
                for file, one in read
            ]
            gone = records.end_files(connection, name, after.present, began) if complete else 0
            count = records.count(connection, name)
            self._check_size(count)
            dates = filter(None, (self._before.newest, *(one.newest for _, one in read)))
            after = replace(after, records=count, newest=max(dates, default=None))
            begun, ended = sum(one.began for one in applied), sum(one.ended for one in applied)
            return self._finish(connection, after, begun, ended + gone)

    def _take_scores(self, to_read: Sequence[FeedFile], after: FeedState) -> Synced:
        assert self._feed.scores is not None
        tables = sorted(map(self._feed.scores, to_read), key=lambda table: table.day)
        newest = tables[-1]
        self._check_time(newest.day)
        self._check_size(len(newest))
        with self._store.begin() as connection:
            for table in tables:
                scores.save(connection, table, self._began)
            after = replace(after, records=len(newest), newest=newest.day)
            return self._finish(connection, after, len(newest), 0)

    def _finish(
        self, connection: sa.Connection, after: FeedState, began: int, ended: int
    ) -> Synced:
        feeds.save(connection, after)
        events.append(
            connection,
            at=clock(),
            kind="feed.synced",
            subject=after.name,
            data={"records": after.records, "began": began, "ended": ended},
        )
        return Synced(after.name, Outcome.SYNCED, after.records, began, ended)

    def _failed(self, error: FeedError | UnreadableError | _Suspicious) -> Synced:
        before = self._before
        remedy = getattr(error, "remedy", _KEPT)
        after = replace(before, checked_at=self._began, error=error.message, remedy=remedy)
        with self._store.begin() as connection:
            feeds.save(connection, after)
            events.append(
                connection,
                at=clock(),
                kind="feed.failed",
                subject=before.name,
                data={"error": error.message},
            )
        return Synced(
            before.name, Outcome.FAILED, before.records, error=error.message, remedy=remedy
        )

    def _check_size(self, count: int) -> None:
        before = self._before.records
        if not self._accept and before > _FEW and count < before * _LEAST_SHARE:
            raise _Suspicious(f"the feed shrank from {before} records to {count}")

    def _check_time(self, newest: date | None) -> None:
        before = self._before.newest
        if self._accept or before is None or newest is None:
            return
        if newest < before - _BEHIND:
            raise _Suspicious(
                f"the feed went back in time: its newest word was of {before}, now of {newest}"
            )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One sync of a feed at a time."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RefusedError(
            f"{directory.name} is being synced already", "Wait for that to end."
        ) from None
    else:
        yield
    finally:
        os.close(lock)
