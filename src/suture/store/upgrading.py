"""Bringing a database to the newest schema, with Alembic."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory


def newest() -> str | None:
    return _scripts().get_current_head()


def is_known(revision: str) -> bool:
    """Whether this version of Suture has the migration."""
    return revision in {one.revision for one in _scripts().walk_revisions()}


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Within the transaction of ``connection``."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
