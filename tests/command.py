"""The ``suture`` command as tests call it: its entry point, with a home of its own."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from suture.cli.main import main
from suture.services.workspace import Workspace


class Run:
    """Calls the command's entry point with a home of its own."""

    def __init__(
        self, home: Path, patch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]
    ) -> None:
        self.place = Workspace(home, f"sqlite:///{home}/suture.sqlite")
        self._patch = patch
        self._captured = captured

    def __call__(self, *arguments: str, stdin: bytes = b"", **more: str) -> tuple[int, str, str]:
        """The exit code, standard output and standard error."""
        with self._patch.context() as patch:
            environment = {"HOME": str(self.place.home), "SUTURE_HOME": str(self.place.home)}
            for name, value in (environment | more).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["suture", *arguments])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            self._captured.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        code = ended.value.code
        assert isinstance(code, int)
        return code, *self._captured.readouterr()
