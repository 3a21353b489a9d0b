"""What packages say of each other: Depends, Pre-Depends, Breaks, Conflicts and Provides.

The syntax is Debian policy chapter 7: clauses divided by commas, alternatives by bars, each a name
with an optional architecture and an optional version (``libc6:any (>= 2.36) | libc6.1``).
"""

from __future__ import annotations

import re
from functools import lru_cache

from suture.core.documents import Document
from suture.core.versions import compare, is_valid

_RELATION = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9+.-]*)(?::(?P<arch>[a-z0-9-]+))?"
    r"(?: *\( *(?P<op><<|<=|=|>=|>>|<|>) *(?P<version>[^\s()]+) *\))?"
    r"(?: *\[[^\]]*\])?(?: *<[^>]*>)*"
)

# The single signs are old, and do not mean what they look like.
_SIGNS = {"<": "<=", ">": ">="}


class Relation(Document, frozen=True):
    """One alternative. ``op`` and ``version`` are both empty where any version will do."""

    name: str
    arch: str = ""
    op: str = ""
    version: str = ""

    def __str__(self) -> str:
        name = f"{self.name}:{self.arch}" if self.arch else self.name
        return f"{name} ({self.op} {self.version})" if self.op else name

    def allows(self, version: str) -> bool:
        """Whether ``version`` of the named package will do; one that is none never does."""
        if not self.op:
            return True
        if not is_valid(version) or not is_valid(self.version):
            return False
        order = compare(version, self.version)
        return {
            "<<": order < 0,
            "<=": order <= 0,
            "=": order == 0,
            ">=": order >= 0,
            ">>": order > 0,
        }[self.op]

    @property
    def is_upper_bound(self) -> bool:
        return self.op in ("<<", "<=", "=")


Clause = tuple[Relation, ...]
"""Alternatives, of which one must hold. Empty where none could be read: it never holds."""


@lru_cache(maxsize=65_536)
def parse(text: str) -> tuple[Clause, ...]:
    """All clauses of a relation field, which must all hold. Never raises."""
    return tuple(
        tuple(relation for part in clause.split("|") if (relation := _relation(part.strip())))
        for clause in text.split(",")
        if clause.strip()
    )


def provided(text: str) -> tuple[tuple[str, str], ...]:
    """(name, version) of each virtual package in a ``Provides`` field; the version may be empty,
    and then meets no versioned need."""
    return tuple(
        (relation.name, relation.version) for clause in parse(text) for relation in clause[:1]
    )


def _relation(text: str) -> Relation | None:
    match = _RELATION.fullmatch(text)
    if match is None:
        return None
    op = match["op"] or ""
    return Relation(match["name"], match["arch"] or "", _SIGNS.get(op, op), match["version"] or "")
