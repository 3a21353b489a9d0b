"""The engine's log goes to its file, and nowhere else."""

from __future__ import annotations

import json
import resource
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
    structlog.get_logger("suture.engine").warning("cancelled")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["work"] for line in lines] == ["r1:web1", "\x1b[31mr1"]
    assert "\x1b" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert capsys.readouterr().out == ""


def test_a_full_disk_loses_lines_and_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "suture.log"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with logging_to(path):
        log = structlog.get_logger("suture.engine")
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        try:
            log.error("no heartbeat")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        log.error("again")
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["again"]
