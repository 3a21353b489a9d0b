"""The engine's log: JSON lines in a file, so that what commands print stays their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import NoReturn

import structlog


class _Lines:
    """A logger of structlog's, each of whose methods writes a line."""

    def __init__(self, file: FileIO) -> None:
        self._file = file

    def msg(self, line: str) -> None:
        with suppress(OSError):
            self._file.write(line.encode() + b"\n")

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = msg


def _drop(*_: object) -> NoReturn:
    raise structlog.DropEvent


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Append what is logged within the context to ``path``, readable by its owner alone.

    A line that the disk has no room for is lost: it is not what the engine stops for. So is one
    that comes after the context, from work that was interrupted.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "ab", buffering=0) as file:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=lambda *_: _Lines(file),
        )
        try:
            yield
        finally:
            structlog.configure(processors=[_drop])
