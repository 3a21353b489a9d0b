"""Fetching what a CSAF provider publishes: at first an archive of all, later what has changed.

Beside the documents lies ``changes.csv``, where each document's path stands with the time of its
last change, and at some publishers ``deletions.csv`` in the same form. Beside a file there may be
another with its SHA-256, against which it is checked.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from suture.feeds.feed import FeedError, FeedFile, MissingError, Source
from suture.reading import MAX_MEMBER, UnreadableError, members, opened, text_of

CHANGES = "changes.csv"
DELETIONS = "deletions.csv"

_DOCUMENT = re.compile(r"(?:[0-9]{4}/)?cve-[0-9]{4}-[0-9]{4,19}\.json")
_ARCHIVED_ON = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SHA256 = re.compile(r"([0-9a-fA-F]{64})\s")
_MAX_LOG = 100_000_000
_MAX_ARCHIVE = 100_000_000_000  # unpacked: tens of thousands of documents of a megabyte
_MAX_CHANGES = 3000  # from here on the archive is the shorter way
_ARCHIVE_AGE = timedelta(days=2)  # archives are made daily
_OVERLAP = timedelta(hours=1)
_FIRST_YEAR = 1990  # nobody published anything of this kind before


def fetch_changes(
    archive: Callable[[Source], str],
    *,
    folder: str = "",
    deletions: bool = False,
    hashes: bool = False,
) -> Callable[[Source], Sequence[FeedFile]]:
    """The ``fetch`` of a feed of documents in ``folder``.

    ``archive`` tells the name of the archive. ``deletions``: there is a list of them. ``hashes``:
    every document has a hash beside it, and one without is refused.
    """

    def fetch(source: Source) -> Sequence[FeedFile]:
        log = source.get(folder + CHANGES, max_bytes=_MAX_LOG)
        changed, gone = _read(log), {}
        if deletions:
            gone = _read(source.get(folder + DELETIONS, max_bytes=_MAX_LOG))
            gone = {path: at for path, at in gone.items() if changed.get(path, at) <= at}
        hashed = _Hashed(source, hashes)
        if source.since is not None:
            since = source.since - _OVERLAP
            new = [path for path in _newer(changed, since) if path not in gone]
            if len(new) <= _MAX_CHANGES:
                removed = tuple(map(_cve, _newer(gone, since)))
                listed = [hashed.document(folder + path) for path in new]
                return [replace(log, partial=True, removed=removed), *listed]
        name = archive(source)
        new = [path for path in _newer(changed, _archived_at(name, changed)) if path not in gone]
        return [
            replace(
                hashed.archive(name),
                changed=True,
                parts=tuple(hashed.document(folder + path) for path in new),
                removed=tuple(map(_cve, gone)),
            )
        ]

    return fetch


def documents(file: FeedFile) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the documents in a file that :func:`fetch_changes` answers."""
    if file.name.endswith(".json"):
        with opened(file.location, limit=MAX_MEMBER) as stream:
            yield file.name, stream.read()
    elif not file.name.endswith(CHANGES):
        passed_over = {_cve(part.name) for part in file.parts} | set(file.removed)
        for name, data in members(file.location, suffix=".json", limit=_MAX_ARCHIVE):
            if _cve(name) not in passed_over:
                yield name, data
        for part in file.parts:
            yield from documents(part)


class _Hashed:
    """Gets files and holds them against their hashes. Where one document has none and none is
    ``required``, no other is asked for one."""

    def __init__(self, source: Source, required: bool) -> None:
        self._source = source
        self._required = required
        self._published = True

    def archive(self, name: str) -> FeedFile:
        return self._source.get(name, sha256=self._hash(name) or "")

    def document(self, name: str) -> FeedFile:
        digest = self._hash(name) if self._published else None
        if digest is None:
            if self._required:
                raise FeedError(f"there is no hash for {name}")
            self._published = False
        return self._source.get(name, sha256=digest or "", max_bytes=MAX_MEMBER, partial=True)

    def _hash(self, name: str) -> str | None:
        try:
            listed = self._source.get(f"{name}.sha256", max_bytes=1000, partial=True)
        except MissingError:
            return None
        match = _SHA256.match(text_of(listed.location, limit=1000) + "\n")
        if match is None:
            raise UnreadableError(f"{listed.name} names no SHA-256")
        return match[1]


def _newer(log: Mapping[str, datetime], since: datetime) -> list[str]:
    return sorted(path for path, at in log.items() if at > since)


def _archived_at(name: str, changed: Mapping[str, datetime]) -> datetime:
    """When an archive was made, by its name or, where that does not say it, at the latest."""
    dated = _ARCHIVED_ON.search(name)
    if dated is not None:
        try:
            return datetime.fromisoformat(dated[0]).replace(tzinfo=UTC)
        except ValueError as error:
            raise UnreadableError(f"{name[:200]!a} bears no date") from error
    newest = max(changed.values(), default=datetime.min.replace(tzinfo=UTC) + _ARCHIVE_AGE)
    return newest - _ARCHIVE_AGE


def _read(file: FeedFile) -> dict[str, datetime]:
    """Path → time, of the documents about a CVE."""
    return dict(_lines(text_of(file.location, limit=_MAX_LOG), file.name))


def _lines(text: str, name: str) -> Iterator[tuple[str, datetime]]:
    try:
        for row in csv.reader(io.StringIO(text), strict=True):
            if len(row) != 2:
                raise UnreadableError(f"{name} has a line that is not a path and a time")
            path, at = row[0].strip(), datetime.fromisoformat(row[1].strip())
            if at.year < _FIRST_YEAR:
                raise UnreadableError(f"{name} has a change before {_FIRST_YEAR}")
            if _DOCUMENT.fullmatch(path):
                yield path, at if at.tzinfo else at.replace(tzinfo=UTC)
    except (csv.Error, ValueError) as error:
        raise UnreadableError(f"{name} is not a list of paths and times: {error}") from error


def _cve(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".json").upper()
