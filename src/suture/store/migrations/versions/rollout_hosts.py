"""A row for each host of a rollout, which stood in the rollout's document before; whose host it
is, and what each worker is for."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rollout_hosts",
        sa.Column("rollout", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("jump", sa.String(length=255), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout"], ["rollouts.id"], name=op.f("fk_rollout_hosts_rollout_rollouts")
        ),
        sa.PrimaryKeyConstraint("rollout", "host", name=op.f("pk_rollout_hosts")),
    )
    op.create_index(op.f("ix_rollout_hosts_phase"), "rollout_hosts", ["phase"])
    op.add_column(
        "rollouts", sa.Column("asked", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    _move_hosts(op.get_bind())
    op.add_column(
        "fences", sa.Column("worker", sa.String(length=64), nullable=False, server_default="")
    )
    # Whoever is listed is of a version that must not go on.
    op.drop_table("workers")
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("machine", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("heartbeat", sa.Float(), nullable=False),
        sa.Column("drives", sa.String(length=64), nullable=False),
        sa.Column("jumps", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )


def _move_hosts(connection: sa.Connection) -> None:
    rollouts = _table("rollouts", "id", "plan", "state", "asked")
    plans = _table("plans", "id", "document")
    names = ("rollout", "host", "place", "jump", "phase", "attempt", "document")
    hosts = _table("rollout_hosts", *names)
    for rollout, plan, stored, _ in connection.execute(sa.select(rollouts)).all():
        query = sa.select(plans.c.document).where(plans.c.id == plan)
        jumps = _jumps(connection.execute(query).scalar())
        state = msgspec.json.decode(stored)
        rows = [
            {
                "rollout": rollout,
                "host": host["host"],
                "place": place,
                "jump": jumps.get(host["host"], ""),
                "phase": host["phase"],
                "attempt": host["attempt"],
                "document": msgspec.json.encode(host),
            }
            for place, host in enumerate(state["hosts"])
        ]
        if rows:
            connection.execute(sa.insert(hosts), rows)
        rest = msgspec.json.encode(state | {"hosts": []})
        connection.execute(
            sa.update(rollouts)
            .where(rollouts.c.id == rollout)
            .values(state=rest, asked=bool(state.get("asked")))
        )


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *(sa.column(column) for column in columns))


def _jumps(plan: bytes | None) -> dict[str, str]:
    """Host → its jump host."""
    hosts = msgspec.json.decode(plan)["hosts"] if plan else []
    return {host["host"]: host["jump"] for host in hosts if host.get("jump")}
