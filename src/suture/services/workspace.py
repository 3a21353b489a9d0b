"""Where one installation of Suture keeps its things."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from suture.services.errors import ServiceError


@dataclass(frozen=True)
class Workspace:
    """The directory of an installation: database, pinned host keys, policy, controls, twins,
    feeds."""

    home: Path
    database: str

    @property
    def known_hosts(self) -> Path:
        return self.home / "known_hosts"

    @property
    def policy(self) -> Path:
        return self.home / "policy.yaml"

    @property
    def controls(self) -> Path:
        return self.home / "controls"

    @property
    def twins(self) -> Path:
        return self.home / "twins"

    @property
    def feeds(self) -> Path:
        return self.home / "feeds"

    @property
    def log(self) -> Path:
        return self.home / "suture.log"

    @property
    def has_database(self) -> bool:
        """Whether the installation has a database already."""
        file = self.database.removeprefix("sqlite:///")
        return file == self.database or Path(file).exists()

    def prepare(self) -> None:
        """Create the directory, readable by its owner alone; raises :class:`ServiceError`."""
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ServiceError(
                f"cannot make the directory {self.home}: {error.strerror}",
                "Choose another directory with --home or SUTURE_HOME, or mend the one above it.",
            ) from None


def resolve(home: Path | None, environ: Mapping[str, str]) -> Workspace:
    """``--home``, else ``SUTURE_HOME``, else the XDG data directory; the database is SQLite in
    there unless ``SUTURE_DATABASE`` names another."""
    if home is None:
        named = environ.get("SUTURE_HOME")
        data = environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
        home = Path(named) if named else Path(data) / "suture"
    home = Path(os.path.abspath(home))  # noqa: PTH100 (no resolving of links)
    return Workspace(
        home=home, database=environ.get("SUTURE_DATABASE") or f"sqlite:///{home}/suture.sqlite"
    )
