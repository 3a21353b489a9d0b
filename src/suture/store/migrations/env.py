"""Alembic's entry point; the connection is given by ``suture.store.database``."""

from __future__ import annotations

from alembic import context

from suture.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
