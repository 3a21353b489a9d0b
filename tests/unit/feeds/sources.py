"""A source of a feed's files in memory, and files that went wrong on their way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from hypothesis import strategies as st

from suture.feeds.feed import FeedFile, MissingError

RECORDED = Path(__file__).parents[2] / "recorded" / "feeds"


def recorded(name: str) -> FeedFile:
    return FeedFile(name, str(RECORDED / name))


def written(directory: Path, name: str, content: bytes) -> FeedFile:
    path = directory / name
    path.write_bytes(content)
    return FeedFile(name, str(path))


@dataclass
class Shelf:
    """What is asked for is in ``asked``, in order; what is not in ``content`` cannot be had."""

    directory: Path
    content: Mapping[str, bytes]
    since: datetime | None = None
    asked: list[str] = field(default_factory=list)

    def get(
        self,
        name: str,
        *,
        sha256: str = "",
        max_bytes: int = 2_000_000_000,
        partial: bool = False,
    ) -> FeedFile:
        self.asked.append(name)
        if name not in self.content:
            raise MissingError(f"{name} is not there")
        path = self.directory / str(len(self.asked))
        path.write_bytes(self.content[name])
        return FeedFile(name, str(path), partial=partial)


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """``content`` with a piece cut out, or replaced by something else."""
    at = st.integers(0, len(content))
    piece = st.binary(max_size=20) | st.sampled_from(
        [b'"', b"{", b"[", b"null", b"-1", b"1e999", b"\\u0000", b'""', b"true", b",,"]
    )
    return st.builds(
        lambda one, other, new: content[: min(one, other)] + new + content[max(one, other) :],
        at,
        at,
        piece,
    ) | st.builds(lambda one, new: content[:one] + new + content[one + len(new) :], at, piece)
