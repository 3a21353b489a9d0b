"""Checks of files, asked by the shell itself."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from suture.core.documents import decode, encode
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.hosts.health import health_functions
from suture.hosts.shell import program

CONTENT = "listen = 127.0.0.1\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "it's a file.conf"
    file.write_text(CONTENT)
    file.chmod(0o640)
    return file


def _ask(check: HealthCheck) -> str:
    """The word and the detail of the answer."""
    script = program("common", "health") + health_functions([check]) + "health_checks\n"
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    _, number, word, detail = done.stdout.rstrip("\n").split("\t")
    assert number == "0"
    return f"{word} {detail}"


def _check(file: Path, **fields: Any) -> HealthCheck:
    return HealthCheck(HealthCheckKind.FILE, str(file), **fields)


def test_a_file_is_as_it_should_be(file: Path) -> None:
    sha256 = hashlib.sha256(CONTENT.encode()).hexdigest()
    owner = f"{file.owner()}:{file.group()}"
    whole = _check(file, mode="0640", owner=owner, sha256=sha256, body="listen")
    assert _ask(whole) == f"ok mode 0640, owner {owner}"
    assert _ask(replace(whole, mode="640")).startswith("ok ")
    assert _ask(_check(file)).startswith("ok ")
    assert _ask(_check(file.parent)).startswith("ok ")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"mode": "0600"}, "mode 0640 instead of 0600"),
        ({"owner": "nobody:nogroup"}, "instead of nobody:nogroup"),
        ({"sha256": "0" * 64}, "another content"),
        ({"body": "-e listen"}, "the expected text is missing"),
    ],
)
def test_what_is_otherwise_is_said(file: Path, fields: dict[str, Any], said: str) -> None:
    answer = _ask(_check(file, **fields))
    assert answer.startswith("fail ") and said in answer


def test_what_is_not_there_fails(tmp_path: Path) -> None:
    assert _ask(_check(tmp_path / "gone")) == "fail is not there"


def test_checks_that_are_not_of_files_are_stored_as_ever() -> None:
    stored = encode(HealthCheck(HealthCheckKind.UNIT, "ssh.service"))
    assert stored == (
        b'{"kind":"unit","target":"ssh.service","status":200,"body":"","timeout_s":10.0,'
        b'"proposed":false}'
    )
    assert encode(decode(stored, HealthCheck)) == stored
