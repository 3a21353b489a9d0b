"""Controls that were in force on hosts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from suture.store.tables import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "controls_in_force",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("control", sa.String(length=64), nullable=False),
        sa.Column("rollout", sa.String(length=64), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["rollout"], ["rollouts.id"], name=op.f("fk_controls_in_force_rollout_rollouts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_controls_in_force")),
    )
    op.create_index("ix_controls_in_force_host", "controls_in_force", ["host", "until"])
