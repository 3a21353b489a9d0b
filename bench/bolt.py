"""Writes a database file of bbolt's format, which Trivy reads its advisories from.

The file is written once, from the leaves up: two meta pages, an empty free list, and B+tree pages
of 4096 bytes. Every bucket has pages of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

Bucket = Mapping[str, "Bucket | bytes"]

_PAGE = 4096
_MAGIC, _VERSION = 0xED0CDAED, 2
_BRANCH, _LEAF, _META, _FREELIST = 0x01, 0x02, 0x04, 0x10
_IS_BUCKET = 1
_HEADER = struct.Struct("<QHHI")  # page, flags, count, overflow
_LEAF_ELEMENT = struct.Struct("<IIII")  # flags, position, key size, value size
_BRANCH_ELEMENT = struct.Struct("<IIQ")  # position, key size, page
_FIRST = 3  # page after the two of meta and the free list

T = TypeVar("T")
Item = tuple[bytes, int, bytes]  # key, flags, value


def write(path: Path, root: Bucket) -> None:
    pages = bytearray(_FIRST * _PAGE)
    top = _bucket(pages, root)
    pages[2 * _PAGE : 2 * _PAGE + _HEADER.size] = _HEADER.pack(2, _FREELIST, 0, 0)
    for number in (0, 1):
        meta = struct.pack(
            "<IIIIQQQQQ", _MAGIC, _VERSION, _PAGE, 0, top, 0, 2, len(pages) // _PAGE, number
        )
        page = _HEADER.pack(number, _META, 0, 0) + meta + struct.pack("<Q", _fnv1a(meta))
        pages[number * _PAGE : number * _PAGE + len(page)] = page
    path.write_bytes(pages)


def _bucket(pages: bytearray, bucket: Bucket) -> int:
    """Appends its pages; the number of its top one."""
    items: list[Item] = []
    for name in sorted(bucket, key=str.encode):
        value = bucket[name]
        if isinstance(value, bytes):
            items.append((name.encode(), 0, value))
        else:
            root = struct.pack("<QQ", _bucket(pages, value), 0)
            items.append((name.encode(), _IS_BUCKET, root))
    level = [
        (some[0][0] if some else b"", _leaf(pages, some))
        for some in _split([(one, 16 + len(one[0]) + len(one[2])) for one in items]) or [[]]
    ]
    while len(level) > 1:
        sized = [(one, 16 + len(one[0])) for one in level]
        level = [(some[0][0], _branch(pages, some)) for some in _split(sized)]
    return level[0][1]


def _split(sized: list[tuple[T, int]]) -> list[list[T]]:
    """As many as a page holds, one at least."""
    parts: list[list[T]] = []
    room = 0
    for one, size in sized:
        if size > room:
            parts.append([])
            room = _PAGE - _HEADER.size
        parts[-1].append(one)
        room -= size
    return parts


def _leaf(pages: bytearray, items: list[Item]) -> int:
    elements, data = bytearray(), bytearray()
    for number, (key, flags, value) in enumerate(items):
        position = (len(items) - number) * _LEAF_ELEMENT.size + len(data)
        elements += _LEAF_ELEMENT.pack(flags, position, len(key), len(value))
        data += key + value
    return _append(pages, _LEAF, len(items), bytes(elements + data))


def _branch(pages: bytearray, children: list[tuple[bytes, int]]) -> int:
    elements, data = bytearray(), bytearray()
    for number, (key, page) in enumerate(children):
        position = (len(children) - number) * _BRANCH_ELEMENT.size + len(data)
        elements += _BRANCH_ELEMENT.pack(position, len(key), page)
        data += key
    return _append(pages, _BRANCH, len(children), bytes(elements + data))


def _append(pages: bytearray, flags: int, count: int, body: bytes) -> int:
    number = len(pages) // _PAGE
    whole = -(-(_HEADER.size + len(body)) // _PAGE)
    page = _HEADER.pack(number, flags, count, whole - 1) + body
    pages += page.ljust(whole * _PAGE, b"\0")
    return number


def _fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value
