"""``suture import`` and ``suture reports``: what is printed, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from suture.cli.main import app
from suture.core.inventory import Inventory
from suture.services import fleet
from suture.services.workspace import Workspace
from suture.store import inventories
from tests.unit.core.builders import host, inventory
from tests.unit.imports.test_qualys import DETECTIONS, PART

RECORDED = Path(__file__).parents[2] / "recorded" / "scanners"
Suture = Callable[..., Result]


@pytest.fixture
def suture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suture:
    """Runs the command in a workspace that has one scanned host, which a Nessus report names."""
    home = tmp_path / "home"
    monkeypatch.setenv("SUTURE_HOME", str(home))
    workspace = Workspace(home, f"sqlite:///{home}/suture.sqlite")
    fleet.add(workspace, (host("testphp.vulnweb.com", address="44.228.249.3"),))
    seen: Inventory = inventory("testphp.vulnweb.com")
    with fleet.opened(workspace) as store, store.begin() as connection:
        inventories.record(connection, seen)
    return lambda *words: CliRunner().invoke(app, words)


def test_a_report_that_is_all_compared_ends_with_0(suture: Suture) -> None:
    done = suture("import", str(RECORDED / "nessus.nessus"))
    assert done.exit_code == 0
    assert "Nessus XML, report 1" in done.stdout
    assert "58987: PHP Unsupported Version Detection" in done.stdout
    again = suture("import", str(RECORDED / "nessus.nessus"))
    assert "known already" in again.stdout


def test_a_report_of_nobody_ends_with_3(suture: Suture) -> None:
    done = suture("import", str(RECORDED / "openvas.xml"))
    assert done.exit_code == 3
    assert "unknown-host" in done.stdout


def test_a_bad_file_ends_with_2_and_the_good_ones_are_kept(suture: Suture, tmp_path: Path) -> None:
    bad = tmp_path / "bad.xml"
    bad.write_text("<html/>")
    done = suture("import", str(bad), str(tmp_path / "none"), str(RECORDED / "nessus.nessus"))
    assert done.exit_code == 2
    assert "bad.xml is XML, but no scanner's report" in done.stderr
    assert "No such file" in done.stderr
    assert "report 1" in done.stdout


def test_json_has_the_figures_of_each_report(suture: Suture) -> None:
    done = suture("import", "--json", str(RECORDED / "nessus.nessus"))
    (report,) = json.loads(done.stdout)["reports"]
    (figures,) = report["hosts"]
    assert (figures["host"], figures["only_scanner"]) == ("testphp.vulnweb.com", 15)
    assert figures["reasons"] == [["no-credentials", 15]]


def test_reports_are_listed_shown_and_removed(suture: Suture) -> None:
    assert "suture import FILE" in suture("reports", "list").stdout
    suture("import", str(RECORDED / "nessus.nessus"))
    assert "nessus.nessus" in suture("reports", "list").stdout
    shown = suture("reports", "show", "1", "--host", "testphp.vulnweb.com").stdout
    assert "CVE-2006-1015" in shown
    assert "Browsable Web Directories" in shown
    whole = json.loads(suture("reports", "show", "1", "--json").stdout)
    assert len(whole["hosts"][0]["vulnerabilities"]) == 15
    assert suture("reports", "remove", "1").exit_code == 0
    assert json.loads(suture("reports", "list", "--json").stdout) == {"reports": []}


def test_what_no_patch_closes_is_among_the_findings(suture: Suture) -> None:
    suture("import", str(RECORDED / "nessus.nessus"))
    done = suture("findings", "--configuration")
    assert "nessus 40984" in done.stdout
    found = json.loads(suture("findings", "--configuration", "--json").stdout)["findings"]
    titles = {one["check"]: one["title"] for one in found}
    assert titles["nessus 40984"] == "Browsable Web Directories (80/tcp)"
    assert "no-security-archive" in titles


def test_a_knowledge_base_may_come_in_the_same_command_in_any_order(
    suture: Suture, tmp_path: Path
) -> None:
    report = tmp_path / "detections.xml"
    report.write_text(DETECTIONS.replace("192.0.2.1", "44.228.249.3"))
    alone = suture("import", str(report))
    assert alone.exit_code == 3
    assert "178000: QID 178000" in alone.stdout
    told = suture("import", str(report), str(RECORDED / "qualys-knowledgebase.xml"))
    assert told.exit_code == 0
    assert "Qualys KnowledgeBase, 4 checks, 4 of them new or changed; 4 are known" in told.stdout
    assert "QID 178000" not in told.stdout
    said = json.loads(suture("import", str(report), "--json").stdout)
    assert [one["only_scanner"] for one in said["reports"][0]["hosts"]] == [2]


def test_a_report_that_says_that_it_is_not_all_ends_with_3(suture: Suture, tmp_path: Path) -> None:
    report = tmp_path / "part.xml"
    report.write_text(PART.replace("192.0.2.1", "44.228.249.3"))
    knowledge = str(RECORDED / "qualys-knowledgebase.xml")
    done = suture("import", knowledge, str(report))
    assert done.exit_code == 3
    assert "Not whole: Qualys says: 1980 1000 record limit exceeded" in " ".join(
        done.stdout.split()
    )
    assert "1, not all" in suture("reports", "list").stdout
    kept = json.loads(suture("reports", "list", "--json").stdout)["reports"][0]["summary"]
    assert kept["truncated"].startswith("1980 ")
    shown = suture("reports", "show", "1").stdout
    assert "Not whole" in shown
    assert suture("import", str(report)).exit_code == 3, "the same file is no more whole"
