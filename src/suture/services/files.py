"""Files that people name, which may be anything: a device that never ends, a pipe, a directory."""

from __future__ import annotations

import sys
from pathlib import Path

from suture.services.errors import ServiceError


def read_at_most(path: Path, limit: int) -> bytes:
    """The file; ``-`` is standard input. Raises ``OSError``, and :class:`ServiceError` for more
    than ``limit`` bytes, of which it reads no more than that."""
    if str(path) == "-":
        data = sys.stdin.buffer.read(limit + 1)
    else:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    if len(data) > limit:
        name = "standard input" if str(path) == "-" else str(path)
        raise ServiceError(f"{name}: larger than {limit:,} bytes", "Is this the right file?")
    return data
