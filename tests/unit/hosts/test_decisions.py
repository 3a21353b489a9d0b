"""What the way back does with configuration: a script's table, run by this machine's own shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from suture.hosts.shell import program

_OLD, _NEW, _THEIRS = "f:644:0:0:old", "f:644:0:0:new", "f:600:0:0:theirs"


def decide(
    directory: Path, before: str | None, after: str | None, current: str | None, now: str | None
) -> str:
    for name, state in (("before", before), ("after", after), ("current", current), ("now", now)):
        line = f"{state}\t/etc/a file\n" if state else ""
        (directory / f"config-{name}").write_text(f"d:755:0:0:\t/etc\n{line}")
    head = program("decisions", bundle=str(directory))
    script = head + 'config_decisions "$bundle/config-current" "$bundle/config-now"\n'
    return subprocess.run(["sh", "-c", script], capture_output=True, check=True, text=True).stdout


@pytest.mark.parametrize(
    ("before", "after", "current", "now", "decision"),
    [
        (_OLD, _OLD, _OLD, _OLD, ""),
        (_OLD, _NEW, _NEW, _NEW, "restore"),
        (_OLD, _NEW, _NEW, _OLD, ""),
        (None, _NEW, _NEW, _NEW, "remove"),
        (_OLD, None, None, None, "restore"),
        (_OLD, _OLD, _THEIRS, _THEIRS, "kept"),
        (None, None, _THEIRS, _THEIRS, "kept"),
        (_OLD, _OLD, None, None, "kept"),
        (_OLD, _NEW, _THEIRS, _THEIRS, "conflict"),
        (_OLD, _OLD, _OLD, _NEW, "restore"),
        (None, None, None, _NEW, "remove"),
    ],
)
def test_only_what_the_patch_did_is_undone(
    tmp_path: Path,
    before: str | None,
    after: str | None,
    current: str | None,
    now: str | None,
    decision: str,
) -> None:
    expected = f"{decision}\t/etc/a file\n" if decision else ""
    assert decide(tmp_path, before, after, current, now) == expected


def test_after_an_interrupted_patch_everything_that_differs_is_put_back(tmp_path: Path) -> None:
    decide(tmp_path, _OLD, None, _NEW, _NEW)
    (tmp_path / "config-after").unlink()
    head = program("decisions", bundle=str(tmp_path))
    script = head + 'config_decisions "$bundle/config-current" "$bundle/config-now"\n'
    made = subprocess.run(["sh", "-c", script], capture_output=True, check=True, text=True).stdout
    assert made == "restore\t/etc/a file\n"
