"""What publishers' feeds say, and from when until when it was known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from suture.store.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "feeds",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feeds")),
    )
    op.create_table(
        "feed_records",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("feed", sa.String(length=64), nullable=False),
        sa.Column("file", sa.String(length=512), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("release", sa.String(length=255), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("known_from", UtcDateTime(), nullable=False),
        sa.Column("known_until", UtcDateTime(), nullable=True),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_records")),
    )
    op.create_index("ix_feed_records_feed", "feed_records", ["feed", "known_until"])
    op.create_index("ix_feed_records_release", "feed_records", ["release", "known_until"])
    op.create_index("ix_feed_records_key", "feed_records", ["key"])
    op.create_table(
        "score_tables",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("known_from", UtcDateTime(), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("cves", sa.LargeBinary(), nullable=False),
        sa.Column("shares", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_score_tables")),
    )
