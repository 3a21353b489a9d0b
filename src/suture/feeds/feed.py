"""What a feed is: an official address, the files to fetch from it, and how to read them.

A publisher's module declares its :class:`Feed` objects and nothing else is needed to add one. The
two halves are apart: ``fetch`` names and downloads files and knows no format beyond the
publisher's own indexes, ``parse`` reads one file from disk and knows no network. So a mirror, a
bundle on disk and the official address are read by the same code, and a file that has not changed
is not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from suture.core.documents import Document
from suture.core.intelligence.advisories import Advisory
from suture.core.intelligence.enrichment import Enrichment

if TYPE_CHECKING:
    from suture.core.intelligence.epss import ScoreTable


class FeedError(Exception):
    """A feed cannot be had; ``remedy`` says what to do. A file that was had and is broken is an
    :class:`suture.reading.UnreadableError`."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy or "The last good state of this feed stays in use; try again later."


class MissingError(FeedError):
    """There is no such file at the feed's address."""


class FeedFile(Document, frozen=True):
    """A fetched file. ``name`` is its path below the feed's address, ``path`` where it lies.

    ``changed``: it is not the one that was read last. A ``partial`` file says something about
    the records that it names and nothing about all others; of a file that is not partial, what
    it no longer names is taken back. ``removed`` are record ids that the publisher deleted.
    ``parts`` are fetched files that are read as one with this: the lists that a repository's
    index names, or what is newer than an archive.
    """

    name: str
    path: str
    changed: bool = True
    partial: bool = False
    removed: tuple[str, ...] = ()
    parts: tuple[FeedFile, ...] = ()

    @property
    def location(self) -> Path:
        return Path(self.path)


class Source(Protocol):
    """Where a feed's files come from: its official address, a mirror, or a bundle on disk."""

    @property
    def since(self) -> datetime | None:
        """When the last good sync began, None before the first."""

    def get(
        self,
        name: str,
        *,
        sha256: str = "",
        max_bytes: int = 2_000_000_000,
        partial: bool = False,
    ) -> FeedFile:
        """The file at ``name``, a path (and query) below the feed's address.

        Asks whether it has changed and goes on where a download was cut off. Raises
        :class:`MissingError` where there is none, and :class:`FeedError` where it cannot be had, is
        larger than ``max_bytes``, or its SHA-256 is not ``sha256`` (as the publisher names it).
        """


Record = Advisory | Enrichment
Parse = Callable[[FeedFile], Iterator[Record]]


@dataclass(frozen=True)
class Feed:
    """``name`` is what people type (``debian-tracker``); ``url`` the official address, ending in
    ``/``; ``fetch`` answers all files that the feed now consists of; ``parse`` the records of
    one of them, raising :class:`UnreadableError` where it is not what it should be.
    ``stale_after_s`` is the age from which its word is called stale: a few times the publisher's
    own rhythm.
    ``scores`` is set in the place of ``parse`` where the feed is a table of EPSS scores.
    ``systems`` are the ids of os-release that it speaks of, empty where it speaks of CVEs.
    ``default`` is False for a feed that says in another form what a default one says.
    """

    name: str
    publisher: str
    title: str
    url: str
    fetch: Callable[[Source], Sequence[FeedFile]]
    parse: Parse | None = None
    scores: Callable[[FeedFile], ScoreTable] | None = None
    stale_after_s: float = 3 * 86400
    systems: tuple[str, ...] = ()
    default: bool = True


def fixed_files(*names: str) -> Callable[[Source], Sequence[FeedFile]]:
    """The ``fetch`` of a feed whose files always have the same names."""

    def fetch(source: Source) -> Sequence[FeedFile]:
        return [source.get(name) for name in names]

    return fetch
