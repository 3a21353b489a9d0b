"""Copying a whole database into another, of whatever kind both are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from suture.store.database import Store
from suture.store.tables import metadata, workers

_AT_ONCE = 2_000

# Who is at work is nothing to carry over.
_TABLES = tuple(table for table in metadata.sorted_tables if table is not workers)


def rows(store: Store) -> dict[str, int]:
    """Table → its number of rows."""
    with store.read() as connection:
        return {table.name: _count(connection, table) for table in _TABLES}


def copy(source: Store, target: Store) -> dict[str, int]:
    """Copy every row in one transaction of each; the number by table.

    Rows keep their keys, and new ones in the target get higher ones.
    """
    counts = {}
    with source.begin() as reading, target.begin() as writing:
        for table in _TABLES:
            for chunk in _chunks(reading, table):
                writing.execute(sa.insert(table), chunk)
            counts[table.name] = _count(writing, table)
            _go_on_counting(writing, table)
    return counts


def _chunks(connection: sa.Connection, table: sa.Table) -> Iterator[list[dict[str, Any]]]:
    result = connection.execution_options(yield_per=_AT_ONCE).execute(
        sa.select(table).order_by(*table.primary_key)
    )
    for part in result.partitions():
        yield [dict(row._mapping) for row in part]


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _go_on_counting(connection: sa.Connection, table: sa.Table) -> None:
    """PostgreSQL's sequences know nothing of rows that brought their keys."""
    column = table.autoincrement_column
    if connection.dialect.name != "postgresql" or column is None:
        return
    sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
    newest = sa.select(sa.func.max(column)).scalar_subquery()
    connection.execute(sa.select(sa.func.setval(sequence, newest)).where(newest.is_not(None)))
