"""The engine's log goes to its file, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import structlog

from suture.services.logs import logging_to


def test_lines_are_json_in_a_private_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "suture.log"
    for work in ("r1:web1", "\x1b[31mr1"):
        with logging_to(path):
            structlog.get_logger("suture.engine").warning("takes over", work=work)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["work"] for line in lines] == ["r1:web1", "\x1b[31mr1"]
    assert "\x1b" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert capsys.readouterr().out == ""
