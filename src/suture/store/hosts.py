"""Enrolled hosts."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from suture.core.documents import decode, encode
from suture.core.inventory import Host
from suture.store.tables import hosts


def save(connection: sa.Connection, host: Host, now: datetime) -> str:
    """Enrol or change a host; answers ``added``, ``changed`` or ``unchanged``."""
    document = encode(host)
    row = connection.execute(
        sa.select(hosts.c.document).where(hosts.c.name == host.name)
    ).one_or_none()
    if row is None:
        connection.execute(
            sa.insert(hosts).values(name=host.name, document=document, enrolled_at=now)
        )
        return "added"
    if bytes(row.document) == document:
        return "unchanged"
    connection.execute(sa.update(hosts).where(hosts.c.name == host.name).values(document=document))
    return "changed"


def listing(connection: sa.Connection) -> tuple[Host, ...]:
    """All hosts by name."""
    rows = connection.execute(sa.select(hosts.c.document).order_by(hosts.c.name))
    return tuple(decode(row.document, Host) for row in rows)


def get(connection: sa.Connection, name: str) -> Host | None:
    row = connection.execute(sa.select(hosts.c.document).where(hosts.c.name == name)).one_or_none()
    return decode(row.document, Host) if row else None


def remove(connection: sa.Connection, name: str) -> bool:
    """Whether there was such a host. Its observations stay."""
    return connection.execute(sa.delete(hosts).where(hosts.c.name == name)).rowcount == 1
