"""Canonical JSON of frozen structs, and the digests made from it.

The same bytes are hashed, stored, served and printed, so a digest seen on one screen can be
checked against a file from another.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_encoder = msgspec.json.Encoder(order="deterministic")


class Document(msgspec.Struct, frozen=True):
    """Base of every type that is stored or served: frozen, compared by value."""


def encode(value: Any) -> bytes:
    """Canonical JSON: fields in declared order, mapping keys and sets sorted, UTF-8."""
    return _encoder.encode(value)


def decode(data: bytes | str, type_: type[T]) -> T:
    """Read canonical JSON back; raises ``msgspec.ValidationError`` when it is not a ``type_``."""
    return msgspec.json.decode(data, type=type_)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, as 64 hex digits."""
    return hashlib.sha256(encode(value)).hexdigest()
