"""One script's output in named sections, and what was wrong with it.

A section starts at a line of its own made of a control character, the run's random nonce and a
name, so nothing that a package, a file or a process is called can start one.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from suture.hosts.text import clean

T = TypeVar("T")

_LIMIT = 64 * 2**20
_LINE_LIMIT = 256 * 1024
_NONCE = re.compile(r"[0-9a-f]{8,64}")
NOTE = "note"


class MalformedError(ValueError):
    """The output is not what the script prints on any honest host."""


@dataclass
class Reading:
    """Sections by name, and the notes gathered while they are read."""

    sections: Mapping[str, tuple[str, ...]]
    notes: list[str] = field(default_factory=list)

    def lines(self, name: str) -> tuple[str, ...]:
        """The section's lines but blank ones."""
        return tuple(line for line in self.sections.get(name, ()) if line.strip())

    def text(self, name: str) -> str:
        """The section as it is."""
        return "\n".join(self.sections.get(name, ())).rstrip("\n")

    def first(self, name: str) -> str:
        """The section's first line, empty where there is none."""
        return next(iter(self.lines(name)), "")

    def each(self, name: str, parse: Callable[[str], T | None]) -> list[T]:
        """What ``parse`` makes of each line; a line it refuses (``ValueError``) becomes a note."""
        found, refused = [], []
        for line in self.lines(name):
            try:
                value = parse(line)
            except ValueError:
                refused.append(line)
                continue
            if value is not None:
                found.append(value)
        self.refuse(name, refused)
        return found

    def refuse(self, name: str, lines: Iterable[str]) -> None:
        """Note lines that were left out, naming the first."""
        refused = list(lines)
        if refused:
            shown = clean(refused[0], 80)
            self.notes.append(f"{name}: {len(refused)} unreadable lines left out, as {shown!r}")


def check_nonce(nonce: str) -> str:
    """``nonce`` itself; raises ``ValueError`` where it could not serve as one."""
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce is 8 to 64 hexadecimal digits")
    return nonce


def read_sections(output: bytes, nonce: str) -> Reading:
    """Split ``output``, plain or gzip; raises :class:`MalformedError` where it is cut short."""
    mark = f"\x1e{check_nonce(nonce)} "
    sections: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    for part in ("\n" + _unpack(output).decode("utf-8", "replace")).split("\n" + mark)[1:]:
        name, *lines = part.split("\n")
        if any(len(line) > _LINE_LIMIT for line in lines):
            raise MalformedError(f"a line of section {clean(name, 40)} is too long")
        if name == NOTE:
            notes.extend(clean(line) for line in lines if line.strip())
        elif name in sections:
            raise MalformedError(f"section {clean(name, 40)} came twice")
        else:
            sections[name] = tuple(lines)
    if "end" not in sections:
        raise MalformedError("the output is cut short")
    return Reading(sections, notes)


def _unpack(output: bytes) -> bytes:
    if not output.startswith(b"\x1f\x8b"):
        return output
    unpacker = zlib.decompressobj(wbits=31)
    try:
        data = unpacker.decompress(output, _LIMIT)
    except zlib.error:
        raise MalformedError("the output is damaged") from None
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise MalformedError("the output is too long or cut short")
    return data
