"""Suites on a twin that is a directory, with programs that play goss and pytest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncssh
import pytest

from suture.core.evidence import Check, Verdict
from suture.core.policies.suites import SuiteKind
from suture.core.suites import Suite, SuiteFile, SuiteRun
from suture.twin.suites import SuiteTrial, run_suite
from suture.twin.way_in import write_config
from tests.unit.twin.directory_twin import DirectoryTwin

RECORDED = Path(__file__).parents[2] / "recorded" / "suites"
PASS, FAIL = Verdict.PASS, Verdict.FAIL


@pytest.fixture
def twin(tmp_path: Path) -> DirectoryTwin:
    return DirectoryTwin(tmp_path / "suture")


def _suite(kind: SuiteKind, entry: str, content: str = "", **fields: Any) -> Suite:
    file = SuiteFile(entry, content.encode(), executable=True)
    defaults: dict[str, Any] = {"name": "web", "kind": kind, "timeout_s": 20.0}
    return Suite(**defaults | fields, entry=entry, files=(file,))


def _command(content: str, **fields: Any) -> Suite:
    return _suite(SuiteKind.COMMAND, "run", f"#!/bin/sh\n{content}\n", **fields)


@pytest.mark.parametrize(
    ("content", "check"),
    [
        ("[ -x run ] && ! read line", Check("", PASS, "exit status 0")),
        ("echo out; echo error >&2; exit 3", Check("", FAIL, "exit status 3: out error")),
        ("sleep 60", Check("", FAIL, "no end within 1 s")),
    ],
)
async def test_a_command_is_one_check(twin: DirectoryTwin, content: str, check: Check) -> None:
    assert await run_suite(_command(content, timeout_s=1.0), twin) == SuiteRun("web", (check,))
    assert list(twin.root.iterdir()) == []


async def test_what_a_suite_leaves_running_is_stopped(twin: DirectoryTwin, tmp_path: Path) -> None:
    left = tmp_path / "pid"
    await run_suite(_command(f"sleep 300 >/dev/null 2>&1 &\necho $! >{left}"), twin)
    state = Path(f"/proc/{int(left.read_text())}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def _goss(said: str) -> bytes:
    asked = "-g web.yaml validate --format json --no-color"
    return f'#!/bin/sh\n[ "$*" = "{asked}" ] || exit 9\n{said}\n'.encode()


async def test_goss_is_copied_once_and_each_of_its_results_is_a_check(twin: DirectoryTwin) -> None:
    said = f"cat {RECORDED / 'goss.json'}; echo warning >&2; exit 1"
    suite = _suite(SuiteKind.GOSS, "web.yaml", goss=_goss(said))
    runs = [await run_suite(suite, twin) for _ in range(2)]
    assert [check.verdict for check in runs[0].checks] == [PASS, FAIL, Verdict.INCONCLUSIVE]
    assert runs[0] == runs[1]
    assert len(twin.puts) == 1


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        ("echo 'no such variable' >&2; exit 1", "goss says: no such variable"),
        ("echo '{\"results\": 1}'", "not what it should be"),
        ("echo '{\"results\": null}'", "it has no test"),
        ("sleep 60", "no end within 1 s"),
    ],
)
async def test_goss_that_reports_nothing_is_no_failure(
    twin: DirectoryTwin, said: str, trouble: str
) -> None:
    run = await run_suite(_suite(SuiteKind.GOSS, "web.yaml", goss=_goss(said), timeout_s=1.0), twin)
    assert run.checks == ()
    assert trouble in run.trouble


async def test_a_twin_without_goss_is_said(twin: DirectoryTwin) -> None:
    run = await run_suite(_suite(SuiteKind.GOSS, "web.yaml"), twin)
    assert "there is no goss on the twin" in run.trouble


def _python(tmp_path: Path, does: str) -> str:
    """A program that finds in ``$to`` where to report, as pytest does in its arguments."""
    path = tmp_path / "python"
    report = "for one; do case $one in --junit-xml=*) to=${one#*=};; esac; done"
    path.write_text(f"#!/bin/sh\n{report}\n{does}\n")
    path.chmod(0o755)
    return str(path)


async def test_testinfra_reports_and_sees_no_environment_of_ours(
    twin: DirectoryTwin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUTURE_SECRET", "secret")
    does = f"""[ -z "${{SUTURE_SECRET:-}}" ] && [ -f test_web.py ] && [ -f pytest.ini ] || exit 4
case "$*" in *--hosts=ssh://twin*--ssh-config=*/ssh_config*test_web.py) ;; *) exit 4 ;; esac
cp {RECORDED / "testinfra.xml"} "$to"; exit 1"""
    suite = _suite(SuiteKind.TESTINFRA, "test_web.py", python=_python(tmp_path, does))
    run = await run_suite(suite, twin)
    assert run.trouble == ""
    assert len(run.checks) == 6


@pytest.mark.parametrize(
    ("does", "trouble"),
    [
        ("echo no module named pytest; exit 1", "pytest ended with 1 and no report: no module"),
        ("echo '<t' >$to", "not well-formed XML"),
        ("sleep 60", "no end within 1 s"),
    ],
)
async def test_testinfra_without_a_report_is_no_failure(
    twin: DirectoryTwin, tmp_path: Path, does: str, trouble: str
) -> None:
    python = _python(tmp_path, does)
    run = await run_suite(
        _suite(SuiteKind.TESTINFRA, "test_web.py", python=python, timeout_s=1.0), twin
    )
    assert trouble in run.trouble


@pytest.mark.parametrize(
    ("has_sshd", "trouble"), [(False, "the twin has no sshd"), (True, "No such file")]
)
async def test_a_testinfra_that_cannot_start_is_trouble(
    twin: DirectoryTwin, has_sshd: bool, trouble: str
) -> None:
    twin.has_sshd = has_sshd
    suite = _suite(SuiteKind.TESTINFRA, "test_web.py", python="/nowhere/python")
    assert trouble in (await run_suite(suite, twin)).trouble


async def test_a_trial_blames_the_patch_for_what_passed_before(
    twin: DirectoryTwin, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    trial = SuiteTrial((_command(f"[ ! -e {broken} ]"),), twin)
    assert await trial.before() == ""
    broken.touch()
    verdict, reason = await trial.compare("with the patch")
    assert (verdict, reason) == (FAIL, "suites: web, with the patch: exit status 1: ")
    broken.unlink()
    assert await trial.compare("after the way back") == (PASS, "")
    assert [check.name for check in trial.checks] == [
        "web, before the patch",
        "web, with the patch",
        "web, after the way back",
    ]


async def test_without_suites_there_is_nothing_to_say() -> None:
    trial = SuiteTrial()
    assert await trial.before() == ""
    assert await trial.compare("with the patch") == (PASS, "")


def test_the_way_in_is_for_its_owner_and_one_host_key(tmp_path: Path) -> None:
    ours, theirs = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    config = write_config(tmp_path, ours, theirs, "Port 22022").read_text()
    assert "    Port 22022\n" in config
    assert "StrictHostKeyChecking yes" in config
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    known = (tmp_path / "known_hosts").read_text()
    assert known == f"twin {theirs.export_public_key().decode()}"
