"""What feeds say in one file, for installations that no network reaches."""

from __future__ import annotations

import hashlib
import io
import math
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date, datetime
from pathlib import Path

import msgspec
import numpy as np
from msgspec.structs import replace

from suture.core.documents import Document, encode
from suture.core.intelligence.advisories import Advisory
from suture.core.intelligence.enrichment import Enrichment
from suture.core.intelligence.epss import ScoreTable
from suture.reading import UnreadableError, json_of, members
from suture.services import fleet
from suture.services.collecting import clock
from suture.services.errors import RefusedError, ServiceError
from suture.services.spooling import Spool, spool
from suture.services.workspace import Workspace
from suture.store import events, feeds, knowledge, records, scores
from suture.store.database import Store, query_of
from suture.store.knowledge import FeedState

_FORMAT = 1
_MANIFEST = "manifest.json"
_SCORES = ".scores.json"
_MEMBER_BYTES = 32_000_000  # what one member of a bundle holds, about

Progress = Callable[[str], None]
"""Called with the name of each feed as its turn comes."""


class _Line(Document, frozen=True, omit_defaults=True):
    """One record, and the feed's own file that said so."""

    file: str
    advisory: Advisory | None = None
    enrichment: Enrichment | None = None


class _Scores(Document, frozen=True):
    """A table of EPSS scores as lists; see :class:`suture.core.intelligence.epss.ScoreTable`."""

    day: date
    model: str
    cves: list[str]
    probabilities: list[float]
    percentiles: list[float | None]


class _Part(Document, frozen=True):
    """A feed in a bundle: its state, and the SHA-256 of each member of it."""

    state: FeedState
    members: Mapping[str, str]


class _Manifest(Document, frozen=True):
    format: int
    made_at: datetime
    feeds: Mapping[str, _Part]


def export(workspace: Workspace, path: Path, progress: Progress) -> tuple[str, ...]:
    """Write what all synced feeds say now (``.tar.xz``); the names of the feeds in it."""
    if path.exists():
        raise ServiceError(f"{path} exists", "Choose another file.")
    part = path.with_name(path.name + ".part")
    parts: dict[str, _Part] = {}
    with fleet.opened(workspace) as store, tarfile.open(part, "w:xz", preset=1) as archive:
        with store.query() as query:
            states = knowledge.feeds(query)
        for state in states.values():
            if state.synced_at is not None:
                progress(state.name)
                names = {}
                for number, (suffix, data) in enumerate(_exported(store, state)):
                    name = f"{state.name}/{number:04}{suffix}"
                    names[name] = hashlib.sha256(data).hexdigest()
                    _add(archive, name, data)
                bare = replace(state, mirror="", error="", remedy="", files={})
                parts[state.name] = _Part(bare, names)
        _add(archive, _MANIFEST, encode(_Manifest(_FORMAT, clock(), parts)))
    if not parts:
        part.unlink()
        raise RefusedError("no feed was ever synced", "Sync first: suture feeds sync")
    part.replace(path)
    return tuple(sorted(parts))


def load(
    workspace: Workspace, path: Path, progress: Progress, *, accept: bool = False
) -> tuple[FeedState, ...]:
    """Take what a bundle says in the place of what its feeds said here; their states afterwards.

    Nothing is taken of a bundle that is damaged. A feed that is not older here than in the bundle
    is left as it is, unless ``accept``. Raises :class:`ServiceError` for a file that is no bundle.
    """
    try:
        manifest = _manifest(path)
        with ExitStack() as stack:
            read = _read(workspace, path, manifest, stack, progress)
            with fleet.opened(workspace) as store:
                return tuple(
                    _store(store, part.state, *read[name], accept)
                    for name, part in sorted(manifest.feeds.items())
                )
    except UnreadableError as error:
        raise ServiceError(
            f"{path}: {error.message}", "Copy the bundle again; nothing of it was taken."
        ) from error


def _exported(store: Store, state: FeedState) -> Iterator[tuple[str, bytes]]:
    """(suffix, content) of the members of one feed."""
    with store.read() as connection:
        lines, size = [], 0
        for file, row in records.stored(connection, state.name):
            kind = "enrichment" if row.release is None else "advisory"
            lines.append(encode({"file": file, kind: msgspec.Raw(row.document)}))
            size += len(lines[-1])
            if size > _MEMBER_BYTES:
                yield ".jsonl", b"\n".join(lines)
                lines, size = [], 0
        if lines:
            yield ".jsonl", b"\n".join(lines)
        elif state.records and (table := knowledge.scores(query_of(connection))):
            yield _SCORES, encode(_listed(table))


def _listed(table: ScoreTable) -> _Scores:
    percentiles = [None if math.isnan(one) else one for one in table.percentiles.tolist()]
    cves = [cve.decode() for cve in table.cves.tolist()]
    return _Scores(table.day, table.model, cves, table.probabilities.tolist(), percentiles)


def _table(listed: _Scores, name: str) -> ScoreTable:
    lengths = {len(listed.cves), len(listed.probabilities), len(listed.percentiles)}
    if len(lengths) != 1 or listed.cves != sorted(listed.cves):
        raise UnreadableError(f"{name} is not a table of scores")
    percentiles = [math.nan if one is None else one for one in listed.percentiles]
    return ScoreTable(
        listed.day,
        listed.model,
        np.array([cve.encode() for cve in listed.cves]),
        np.array(listed.probabilities, np.float64),
        np.array(percentiles, np.float64),
    )


def _manifest(path: Path) -> _Manifest:
    for name, data in members(path, suffix=_MANIFEST):
        manifest = json_of(data, _Manifest, name=name)
        if manifest.format != _FORMAT:
            raise UnreadableError(f"made by another version of Suture (format {manifest.format})")
        return manifest
    raise UnreadableError("this is no bundle of feeds: it has no manifest")


_Read = tuple[dict[str, Spool], ScoreTable | None]


def _read(
    workspace: Workspace,
    path: Path,
    manifest: _Manifest,
    stack: ExitStack,
    progress: Progress,
) -> dict[str, _Read]:
    """By feed: its records by file, and its scores. Every member is checked before one is used."""
    expected = {
        member: (feed, digest)
        for feed, part in manifest.feeds.items()
        for member, digest in part.members.items()
    }
    spools: dict[str, dict[str, Spool]] = {feed: {} for feed in manifest.feeds}
    tables: dict[str, ScoreTable] = {}
    for name, data in members(path):
        feed, digest = expected.pop(name, ("", ""))
        if not feed:
            continue
        progress(feed)
        if hashlib.sha256(data).hexdigest() != digest:
            raise UnreadableError(f"{name[:200]!a} is not what the manifest names")
        if name.endswith(_SCORES):
            tables[feed] = _table(json_of(data, _Scores, name=name), name)
            continue
        for text in data.splitlines():
            line = json_of(text, _Line, name=name)
            if line.file not in spools[feed]:
                spools[feed][line.file] = stack.enter_context(spool(workspace.feeds))
            record = line.advisory or line.enrichment
            if record is None:
                raise UnreadableError(f"{name[:200]!a} has a line without a record")
            spools[feed][line.file].fill([record])
    if expected:
        raise UnreadableError(f"{next(iter(expected))[:200]!a} is missing")
    return {feed: (spools[feed], tables.get(feed)) for feed in manifest.feeds}


def _store(
    store: Store,
    said: FeedState,
    spools: Mapping[str, Spool],
    table: ScoreTable | None,
    accept: bool,
) -> FeedState:
    now = clock()
    with store.begin() as connection:
        here = feeds.get(connection, said.name)
        is_older = here.synced_at and said.synced_at and said.synced_at <= here.synced_at
        if is_older and not accept:
            return here
        for file, filled in spools.items():
            records.apply(connection, said.name, file, filled.rows(), now)
        records.end_files(connection, said.name, tuple(spools), now)
        if table is not None:
            scores.save(connection, table, now)
        count = len(table) if table is not None else records.count(connection, said.name)
        after = replace(said, mirror=here.mirror, records=count, reader="")
        feeds.save(connection, after)
        events.append(
            connection,
            at=now,
            kind="feed.imported",
            subject=said.name,
            data={"records": count, "synced_at": said.synced_at},
        )
        return after


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    archive.addfile(info, io.BytesIO(data))
