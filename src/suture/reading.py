"""Reading foreign files: compression and archives within limits, JSON and XML without surprises.

Feeds and scanners' reports are hostile input. Nothing is unpacked to disk, no entity of XML is
followed, and whatever would need more than its limit is refused whole.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar, cast
from xml.etree.ElementTree import Element, ParseError

import msgspec
from backports import zstd
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

T = TypeVar("T")

MAX_FILE = 4_000_000_000  # bytes after decompression
MAX_MEMBER = 256_000_000
MAX_MEMBERS = 2_000_000
MAX_DEPTH = 64
MAX_ELEMENT = 64_000_000  # bytes of XML that are held at once

_BROKEN: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    UnicodeDecodeError,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    zstd.ZstdError,
)
# What zipfile and tarfile raise besides for archives that are encrypted, packed in an unknown way
# or have impossible sizes and offsets.
_ODD_ARCHIVE = (
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)


class UnreadableError(Exception):
    """A file is damaged, too large, or not what it should be; nothing of it is taken."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _Bounded(io.RawIOBase):
    """Passes reads through until more than ``limit`` bytes came out."""

    def __init__(self, inner: IO[bytes], limit: int, name: str) -> None:
        self._inner = inner
        self._left = limit
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with explained(self._name):
            data = self._inner.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise UnreadableError(f"{self._name} is larger unpacked than is allowed")
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def explained(name: str, *also: type[Exception]) -> Iterator[None]:
    """Errors of reading ``name`` as :class:`UnreadableError`."""
    try:
        yield
    except _BROKEN + also as error:
        raise UnreadableError(f"{name} is damaged: {error}") from error


@contextmanager
def opened(path: Path, *, limit: int = MAX_FILE) -> Iterator[BinaryIO]:
    """The content of a file, decompressed as its first bytes say (gzip, bzip2, xz, zstd)."""
    with explained(path.name), path.open("rb") as raw:
        magic = raw.read(6)
        raw.seek(0)
        inner = _decompressed(raw, magic)
        yield cast(BinaryIO, io.BufferedReader(_Bounded(inner, limit, path.name), 1 << 16))


def _decompressed(raw: IO[bytes], magic: bytes) -> IO[bytes]:
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if magic.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(raw)
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return cast(IO[bytes], zstd.ZstdFile(raw))
    return raw


def text_of(path: Path, *, limit: int = MAX_MEMBER) -> str:
    """A whole file as UTF-8 text."""
    with opened(path, limit=limit) as stream, explained(path.name):
        return stream.read().decode()


def members(path: Path, *, suffix: str = "", limit: int = MAX_FILE) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the plain files in a tar or zip archive, compressed or not, in its order.

    ``limit`` bounds the bytes of all of them together, of which one at a time is held.

    Names are for telling files apart and are never used as paths. Links, devices and directories
    are passed over.
    """
    with explained(path.name, *_ODD_ARCHIVE):
        with path.open("rb") as raw:
            is_zip = raw.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
        yield from (_of_zip if is_zip else _of_tar)(path, suffix, limit)


def _of_zip(path: Path, suffix: str, limit: int) -> Iterator[tuple[str, bytes]]:
    total = 0
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise UnreadableError(f"{path.name} holds more than {MAX_MEMBERS} files")
        for info in infos:
            if info.filename.endswith("/") or not info.filename.endswith(suffix):
                continue
            with archive.open(info) as member:
                data = member.read(MAX_MEMBER + 1)
            total += _checked(path, info.filename, len(data), total, limit)
            yield info.filename, data


def _of_tar(path: Path, suffix: str, limit: int) -> Iterator[tuple[str, bytes]]:
    total = count = 0
    with opened(path, limit=limit) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for info in archive:
            count += 1
            if count > MAX_MEMBERS:
                raise UnreadableError(f"{path.name} holds more than {MAX_MEMBERS} files")
            if not info.isreg() or not info.name.endswith(suffix):
                continue
            _checked(path, info.name, info.size, total, limit)
            member = archive.extractfile(info)
            data = member.read(MAX_MEMBER + 1) if member else b""
            total += len(data)
            yield info.name, data


def _checked(path: Path, name: str, size: int, total: int, limit: int) -> int:
    if size > MAX_MEMBER or total + size > limit:
        raise UnreadableError(f"{name[:200]!a} in {path.name} is larger than is allowed")
    return size


def json_of(data: bytes, type_: type[T], *, name: str) -> T:
    """JSON as ``type_``; fields that the type does not have are passed over."""
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, ValueError) as error:
        raise UnreadableError(f"{name} is not what it should be: {error}") from error


def elements(
    stream: IO[bytes],
    *tags: str,
    name: str,
    opening: Collection[str] = (),
    doctype: bool = False,
) -> Iterator[Element]:
    """The elements of the given local names, one at a time, each complete when it is yielded and
    forgotten afterwards; those named in ``opening`` as soon as their attributes are known.
    Namespaces are dropped from the tags of all elements. Memory is bounded by the largest of the
    elements, which may be of ``MAX_ELEMENT`` bytes; no declaration of an entity is accepted, and
    no other declaration of the document's type than its name, where ``doctype`` allows that.
    """
    metered = _Metered(stream, name)
    stack: list[Element] = []
    inside = 0  # how many of the open elements are wanted
    with _safe(name):
        for event, element in iterparse(metered, events=("start", "end"), forbid_dtd=not doctype):
            tag = _local(element)
            if event == "start":
                stack.append(element)
                inside += tag in tags
                if len(stack) > MAX_DEPTH:
                    raise UnreadableError(f"{name} is nested more than {MAX_DEPTH} deep")
                if tag in opening:
                    yield Element(tag, element.attrib)
                continue
            stack.pop()
            element.tag = tag
            if tag in tags:
                inside -= 1
                yield element
                element.clear()
            elif inside:
                continue
            if stack:
                stack[-1].remove(element)
            if not inside:
                metered.since = 0


def root_of(stream: IO[bytes], *, name: str) -> str:
    """The local name of a document's outermost element, whatever follows it."""
    with _safe(name):
        for _, element in iterparse(_Metered(stream, name), events=("start",)):
            return _local(element)
    raise UnreadableError(f"{name} is empty")


@contextmanager
def _safe(name: str) -> Iterator[None]:
    try:
        yield
    except (ParseError, DefusedXmlException, LookupError, UnicodeError, ValueError) as error:
        raise UnreadableError(f"{name} is not well-formed XML, or not safe: {error}") from error


class _Metered:
    """Counts what was read ``since`` something was last forgotten, and refuses too much of it."""

    def __init__(self, inner: IO[bytes], name: str) -> None:
        self._inner = inner
        self._name = name
        self.since = 0

    def read(self, size: int = -1) -> bytes:
        data = self._inner.read(size)
        self.since += len(data)
        if self.since > MAX_ELEMENT:
            raise UnreadableError(f"{self._name} has an element that is larger than is allowed")
        return data


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]
