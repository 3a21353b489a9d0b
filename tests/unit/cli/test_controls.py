"""``suture control`` and a plan with controls: what is printed, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from suture.cli.failures import report
from suture.cli.main import app
from suture.services import fleet
from suture.services.collecting import clock
from suture.services.workspace import Workspace
from suture.store import inventories
from tests.unit.core.builders import host, inventory

Suture = Callable[..., Result]
TEXT = """id: no-cups
title: No printing
reason: until the patch
cves: [CVE-2026-0001]
mask: {unit: cups.service}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(TEXT)
    return file


@pytest.fixture
def suture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suture:
    """Runs the command in a workspace that has one scanned host without updates."""
    home = tmp_path / "home"
    monkeypatch.setenv("SUTURE_HOME", str(home))
    workspace = Workspace(home, f"sqlite:///{home}/suture.sqlite")
    fleet.add(workspace, (host("web"),))
    with fleet.opened(workspace) as store, store.begin() as connection:
        inventories.record(connection, inventory("web", collected_at=clock()))
    return lambda *words: CliRunner().invoke(app, words)


def code(done: Result) -> int | None:
    """The exit code of an expected failure, as the command itself would end with."""
    assert isinstance(done.exception, Exception)
    return report(done.exception)


def test_a_control_is_added_listed_shown_and_removed(suture: Suture, file: Path) -> None:
    assert "No controls yet" in suture("control", "list").stdout
    added = suture("control", "add", str(file)).stdout
    assert "no-cups added: cups.service is masked and stopped" in added
    assert "suture plan create --control no-cups" in added
    assert "cups.service is masked and stopped" in suture("control", "list").stdout
    assert "in force on no host" in suture("control", "show", "no-cups").stdout
    (one,) = json.loads(suture("control", "list", "--json").stdout)["controls"]
    assert one["control"]["mask"] == {"unit": "cups.service"}
    assert suture("control", "remove", "no-cups").exit_code == 0
    assert code(suture("control", "show", "no-cups")) == 2


def test_a_bad_file_ends_with_2_and_names_the_line(
    suture: Suture, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(TEXT.replace("cups.service", "cups; reboot"))
    done = suture("control", "add", str(file))
    assert code(done) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "mine.yaml:5: mask.unit: expected a systemd unit" in said


def test_a_plan_shows_its_controls(suture: Suture, file: Path) -> None:
    suture("control", "add", str(file))
    done = suture("plan", "create", "--control", "no-cups")
    assert done.exit_code == 0
    assert "1 controls" in done.stdout
    assert "cups.service is masked and stopped" in done.stdout
    assert "before it is touched, and what its controls change" in " ".join(done.stdout.split())
    assert code(suture("plan", "create", "--control", "other")) == 2
