"""What a step's script reports on its own descriptor: lines of a kind and tab-separated fields.

Maintainer scripts never see that descriptor, so a package cannot forge a result; sizes and
characters are bounded all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from suture.core.documents import Document
from suture.core.evidence import Check, Verdict
from suture.hosts.text import clean

_MAX_LINES = 20_000


class Results(Document, frozen=True):
    """``lines`` are (kind, fields…), in the order in which the script wrote them."""

    lines: tuple[tuple[str, ...], ...]

    def of(self, kind: str, fields: int) -> Iterator[tuple[str, ...]]:
        """The fields of every line of ``kind``, padded or cut to ``fields``."""
        for line in self.lines:
            if line[0] == kind:
                yield (line[1:] + ("",) * fields)[:fields]

    def first(self, kind: str) -> str:
        return next((fields[0] for fields in self.of(kind, 1)), "")

    def has(self, kind: str) -> bool:
        return any(line[0] == kind for line in self.lines)

    @property
    def checks(self) -> tuple[Check, ...]:
        known = {verdict.value: verdict for verdict in Verdict}
        return tuple(
            Check(name, known.get(verdict, Verdict.INCONCLUSIVE), detail)
            for name, verdict, detail in self.of("check", 3)
        )

    @property
    def notes(self) -> tuple[Check, ...]:
        """Things done that have no verdict of their own."""
        return tuple(
            Check(f"{name} {detail}".strip(), Verdict.PASS) for name, detail in self.of("note", 2)
        )


def parse_results(text: str | bytes) -> Results:
    """Read results; fields are made printable and cut to 1000 characters."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return Results(
        tuple(
            tuple(clean(field, 1000) for field in line.split("\t"))
            for line in text.split("\n")[:_MAX_LINES]
            if line
        )
    )
