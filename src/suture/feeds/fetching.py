"""Fetching a feed's files: only what has changed, on from where it was cut off, and checked.

The address may be the publisher's, a mirror's, or a directory; what is asked for below it is the
same. A file takes its place on disk only when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from suture import __version__
from suture.core.documents import Document
from suture.feeds.feed import FeedError, FeedFile, MissingError

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that are there, and the bytes in all where known."""

_CHUNK = 1 << 18
_TIMEOUT = urllib3.Timeout(connect=15, read=60)
_RETRIES = urllib3.Retry(
    total=4,
    redirect=5,
    backoff_factor=1,
    status_forcelist=(429, 500, 502, 503, 504),
    raise_on_status=False,
)


class Seen(Protocol):
    """What is known of a file from the last time it was read."""

    @property
    def sha256(self) -> str: ...
    @property
    def etag(self) -> str: ...
    @property
    def modified(self) -> str: ...


class Validators(Document, frozen=True, omit_defaults=True):
    """What the server said of a file, for asking whether it has changed."""

    etag: str = ""
    modified: str = ""


class Fetched(Document, frozen=True):
    """What was found out about a file that :meth:`FileSource.get` answered."""

    file: FeedFile
    sha256: str
    size: int
    validators: Validators


@dataclass
class FileSource:
    """The files of one feed below ``url``, kept in ``directory``.

    ``seen`` is by file name what was read the last time. ``fetched`` collects what was asked for.
    """

    url: str
    directory: Path
    seen: Mapping[str, Seen]
    since: datetime | None
    progress: Progress
    retries: urllib3.Retry = _RETRIES
    fetched: dict[str, Fetched] = field(default_factory=dict)

    def get(
        self,
        name: str,
        *,
        sha256: str = "",
        max_bytes: int = 2_000_000_000,
        partial: bool = False,
    ) -> FeedFile:
        """See :class:`suture.feeds.feed.Source`."""
        if "://" not in self.url:
            path, validators = self._on_disk(name), Validators()
        else:
            path, validators = self._download(name, max_bytes)
        size, digest = path.stat().st_size, _sha256(path)
        if size > max_bytes:
            raise FeedError(f"{name} is larger than {max_bytes} bytes")
        if sha256 and digest != sha256.lower():
            if path.parent == self.directory:
                path.unlink()
            raise FeedError(
                f"{name} is not what its publisher says: its SHA-256 differs",
                "The last good state stays in use. Try again: it may have been replaced meanwhile. "
                "Where it stays so, look at the mirror, or at what stands between.",
            )
        before = self.seen.get(name)
        file = FeedFile(
            name=name,
            path=str(path),
            changed=before is None or before.sha256 != digest,
            partial=partial,
        )
        self.fetched[name] = Fetched(file, digest, size, validators)
        return file

    def _on_disk(self, name: str) -> Path:
        root = Path(self.url)
        path = Path(os.path.normpath(root / urlsplit(name).path.lstrip("/")))
        if not path.is_relative_to(root):
            raise FeedError(f"{name[:200]!a} would leave {root}")
        if not path.is_file():
            raise MissingError(f"{path} does not exist", "Complete the mirror, or choose another.")
        return path

    def _download(self, name: str, max_bytes: int) -> tuple[Path, Validators]:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = self.directory / _file_name(name)
        part, notes = target.with_name(target.name + ".part"), target.with_name(target.name + ".at")
        before = self.seen.get(name)
        headers = {"User-Agent": f"suture/{__version__}", "Accept-Encoding": "identity"}
        begun = part.stat().st_size if part.exists() and notes.exists() else 0
        if begun:
            validator = _read_notes(notes)
            headers |= {"Range": f"bytes={begun}-", "If-Range": validator}
        elif before is not None and target.exists() and _sha256(target) == before.sha256:
            headers |= {"If-None-Match": before.etag} if before.etag else {}
            headers |= {"If-Modified-Since": before.modified} if before.modified else {}
        with _requested(self.url + name, headers, self.retries) as response:
            if response.status == 416:
                part.unlink(missing_ok=True)
                return self._download(name, max_bytes)
            if response.status == 304:
                if before is None or not target.exists():
                    raise FeedError(f"the server says that {name} has not changed, but it is new")
                return target, Validators(before.etag, before.modified)
            validators = Validators(
                response.headers.get("ETag", "")[:200],
                response.headers.get("Last-Modified", "")[:64],
            )
            self._receive(response, name, part, notes, validators, max_bytes)
        part.replace(target)
        notes.unlink(missing_ok=True)
        return target, validators

    def _receive(
        self,
        response: urllib3.BaseHTTPResponse,
        name: str,
        part: Path,
        notes: Path,
        validators: Validators,
        max_bytes: int,
    ) -> None:
        """Write the answer's body behind what is there already, or from the beginning."""
        goes_on = response.status == 206
        there = part.stat().st_size if goes_on else 0
        strong = validators.etag if not validators.etag.startswith("W/") else ""
        notes.unlink(missing_ok=True)
        if strong or validators.modified:
            notes.write_text(json.dumps(strong or validators.modified))
        length = response.headers.get("Content-Length", "")
        total = there + int(length) if length.isascii() and length.isdigit() else None
        with part.open("ab" if goes_on else "wb") as out:
            for chunk in response.stream(_CHUNK, decode_content=False):
                there += len(chunk)
                if there > max_bytes:
                    raise FeedError(f"{name} is larger than {max_bytes} bytes")
                out.write(chunk)
                self.progress(name, there, total)
        if total is not None and there != total:
            raise FeedError(f"{name} was cut off after {there} of {total} bytes")


@contextmanager
def _requested(
    url: str, headers: Mapping[str, str], retries: urllib3.Retry
) -> Iterator[urllib3.BaseHTTPResponse]:
    """The answer to a GET, closed at the end; :class:`FeedError` for all that goes wrong."""
    place = urlsplit(url).netloc
    try:
        response = _pool(url).request(
            "GET", url, headers=headers, preload_content=False, retries=retries, timeout=_TIMEOUT
        )
        try:
            final = response.geturl() or url
            if url.startswith("https://") and final.startswith("http://"):
                raise FeedError(f"{place} sent us on to {final[:200]!a}, which is not encrypted")
            if response.status not in (200, 206, 304, 416):
                kind = MissingError if response.status in (404, 410) else FeedError
                raise kind(f"{place} answered {response.status} for {urlsplit(url).path}")
            yield response
        finally:
            response.close()
    except HTTPError as error:
        raise FeedError(
            f"{place} cannot be reached: {error}",
            "Check the network and the proxy (https_proxy), or use a mirror: "
            "suture feeds add-mirror",
        ) from error


def _pool(url: str) -> urllib3.PoolManager:
    """Through the proxy that the environment names for ``url``, if it names one."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()


def _read_notes(path: Path) -> str:
    try:
        value = json.loads(path.read_text())
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""


def _file_name(name: str) -> str:
    """A name for the disk: the last of the path to be read, the whole of it as a hash."""
    readable = quote(name.rsplit("/", 1)[-1], safe="")[:60]
    return f"{hashlib.sha256(name.encode()).hexdigest()[:12]}-{readable}"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
