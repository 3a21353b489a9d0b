"""Other scanners' reports: the files, the hosts in them, and what they say of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from suture.store.tables import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scanner_reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scanner", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("imported_at", UtcDateTime(), nullable=False),
        sa.Column("seen_from", UtcDateTime(), nullable=True),
        sa.Column("seen_until", UtcDateTime(), nullable=True),
        sa.Column("summary", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scanner_reports")),
        sa.UniqueConstraint("sha256", name=op.f("uq_scanner_reports_sha256")),
    )
    op.create_table(
        "scanner_hosts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("ids", sa.Text(), nullable=False),
        sa.Column("closed", sa.LargeBinary(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["report"],
            ["scanner_reports.id"],
            name=op.f("fk_scanner_hosts_report_scanner_reports"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scanner_hosts")),
    )
    op.create_index(op.f("ix_scanner_hosts_report"), "scanner_hosts", ["report"], unique=False)
    op.create_index(op.f("ix_scanner_hosts_host"), "scanner_hosts", ["host"], unique=False)

    op.create_table(
        "scanner_findings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scanner_host", sa.Integer(), nullable=False),
        sa.Column("plugin", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("cves", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["scanner_host"],
            ["scanner_hosts.id"],
            name=op.f("fk_scanner_findings_scanner_host_scanner_hosts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scanner_findings")),
    )
    op.create_index(
        op.f("ix_scanner_findings_scanner_host"),
        "scanner_findings",
        ["scanner_host"],
        unique=False,
    )
