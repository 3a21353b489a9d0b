"""Reaching a host: four verbs, whatever the way.

A transport runs scripts as root (through ``sudo -n`` where the user is another). What can go
wrong on the way is a :class:`HostFailure`: a value with a remedy, carried by :class:`HostError`
from the place where it is noticed to the service that reports it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from suture.core.documents import Document


class FailureKind(StrEnum):
    UNREACHABLE = "unreachable"
    HOST_KEY = "host-key"
    AUTHENTICATION = "authentication"
    PRIVILEGE = "privilege"
    CONNECTION_LOST = "connection-lost"
    TIMEOUT = "timeout"
    UNSUPPORTED = "unsupported"
    MALFORMED = "malformed"  # the host answered something that no honest host answers


class HostFailure(Document, frozen=True):
    """Why a host could not be worked with, and what a person can do about it."""

    host: str
    kind: FailureKind
    message: str
    remedy: str


class HostError(Exception):
    """Carries a :class:`HostFailure`."""

    def __init__(self, failure: HostFailure) -> None:
        super().__init__(f"{failure.host}: {failure.message}")
        self.failure = failure


class Result(Document, frozen=True):
    """What a script printed, and how it ended (-1 where a signal ended it)."""

    exit: int
    stdout: bytes
    stderr: bytes


class Transport(Protocol):
    """An open way to one host. Scripts are POSIX sh, run as root, with no shell profile.

    Every verb raises :class:`HostError` when the way breaks; a script's own exit status is not
    an error. ``put`` writes whole files: to a temporary name, then renamed. ``get`` raises
    ``FileNotFoundError`` where the host has no such file, and both ``OSError`` where it cannot.
    """

    name: str

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result: ...

    async def put(self, data: bytes, path: str, *, mode: int = 0o600) -> None: ...

    async def get(self, path: str) -> bytes: ...

    async def close(self) -> None: ...
