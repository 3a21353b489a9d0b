"""Recorded files as feeds answer them, a pretended source of them, and what spoils them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from hypothesis import strategies as st

from suture.core.intelligence.advisories import Advisory, Affected
from suture.feeds.feed import FeedError, FeedFile, MissingError
from suture.reading import UnreadableError

ROOT = Path(__file__).parents[3]
RECORDED = ROOT / "tests/recorded/feeds"
SHARED = Path(os.environ.get("SUTURE_TEST_DATA", ROOT.parent / "shared/data"))


def recorded(path: str, name: str = "") -> FeedFile:
    return FeedFile(name=name or path, path=str(RECORDED / path))


def written(path: Path, data: bytes, name: str = "") -> FeedFile:
    path.write_bytes(data)
    return FeedFile(name=name or path.name, path=str(path))


def about(advisory: Advisory, package: str) -> list[Affected]:
    return [one for one in advisory.affected if one.package == package]


@dataclass
class Pretended:
    """A source whose files are at hand; ``asked`` is what was asked for."""

    files: dict[str, Path]
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
        if name not in self.files:
            raise MissingError(f"there is no {name}")
        data = self.files[name].read_bytes()
        if sha256 and hashlib.sha256(data).hexdigest() != sha256:
            raise FeedError(f"{name} is not what the index names")
        return FeedFile(name=name, path=str(self.files[name]), partial=partial)


def spoiled(data: bytes) -> st.SearchStrategy[bytes]:
    """``data`` with a piece of it replaced or cut out, or its end cut off; or anything at all."""
    places = st.integers(0, len(data))
    pieces = st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"null", b"[]", b"{}", b'""', b"-1", b"<a/>", b"&x;", b"\xff", b"9" * 40]),
    )
    return st.one_of(
        st.binary(max_size=200),
        places.map(lambda at: data[:at]),
        st.builds(
            lambda at, length, piece: data[:at] + piece + data[at + length :],
            places,
            st.integers(0, 60),
            pieces,
        ),
    )


def read_or_refused(
    parse: Callable[[FeedFile], Iterable[object]], data: bytes, name: str
) -> list[object]:
    """What is read of a file with ``data``, nothing where it is refused as it should be."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            return list(parse(written(Path(directory) / "file", data, name)))
        except UnreadableError as error:
            assert error.message
            return []
