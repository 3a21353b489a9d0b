"""Names of enrolled hosts, read without SQLAlchemy: a scan in one shot asks for no more."""

from __future__ import annotations

from collections.abc import Collection

from suture.store.query import Query, marks, parts


def named(query: Query, names: Collection[str]) -> set[str]:
    """Those of ``names`` that are names of enrolled hosts."""
    return {
        name
        for some in parts(names)
        for (name,) in query(f"SELECT name FROM hosts WHERE name IN {marks(some)}", *some)
    }
