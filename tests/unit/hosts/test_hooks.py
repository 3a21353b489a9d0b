"""Hooks on the controller as processes, and the script that runs one on a host."""

from __future__ import annotations

import subprocess
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from suture.core.evidence import Step, StepReport, Verdict
from suture.core.planning.hooks import Hook, HookPhase, Place
from suture.hosts.hooks import read_environment, run_hooks
from suture.hosts.results import parse_results
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.transport import Transport
from tests.unit.core.builders import host_plan

VARIABLES = {"SUTURE_HOST": "web1", "SUTURE_SERVICE": "$(touch /tmp/no)"}


def _nowhere() -> AbstractAsyncContextManager[Transport]:
    raise AssertionError("a hook on the controller reaches no host")


async def _run(step: Step, *hooks: Hook) -> StepReport:
    session = PatchSession(
        plan=host_plan("web1", hooks=hooks),
        plan_id="r1",
        connect=_nowhere,
        now=lambda: datetime.now(UTC),
    )
    return await run_hooks(session, step, VARIABLES)


def _hook(when: HookPhase, command: str, **fields: Any) -> Hook:
    defaults: dict[str, Any] = {
        "when": when,
        "run": Place.CONTROLLER,
        "command": command,
        "timeout_s": 20.0,
    }
    return Hook(**defaults | fields)


async def test_a_hook_learns_what_it_is_about_and_no_value_is_run() -> None:
    command = 'echo "$SUTURE_PHASE $SUTURE_HOST $SUTURE_SERVICE"'
    report = await _run(
        Step.DRAIN, _hook(HookPhase.DRAIN, command), _hook(HookPhase.AFTER, "false")
    )
    assert report.verdict is Verdict.PASS
    assert not report.changed_host
    assert report.log == "drain web1 $(touch /tmp/no)\n"
    assert [check.name for check in report.checks] == [f"{command} on the controller"]


async def test_the_first_failure_of_a_drain_ends_it() -> None:
    hooks = [_hook(HookPhase.DRAIN, "echo no; exit 3"), _hook(HookPhase.DRAIN, "echo never")]
    report = await _run(Step.DRAIN, *hooks)
    assert report.verdict is Verdict.FAIL
    assert report.reason == "echo no; exit 3 on the controller: exit status 3"
    assert report.log == "no\n"


async def test_an_undrain_runs_each_of_its_commands() -> None:
    hooks = [_hook(HookPhase.UNDRAIN, "exit 3"), _hook(HookPhase.UNDRAIN, "echo back")]
    report = await _run(Step.UNDRAIN_ROLL_BACK, *hooks)
    assert report.verdict is Verdict.FAIL
    assert report.log == "back\n"


async def test_a_hook_that_does_not_end_is_stopped_with_its_children(tmp_path: Path) -> None:
    marker = tmp_path / "alive"
    command = f"(sleep 3; touch {marker}) & echo begun; sleep 60"
    report = await _run(Step.BEFORE, _hook(HookPhase.BEFORE, command, timeout_s=1.0))
    assert report.verdict is Verdict.FAIL
    assert "it was stopped after 1 s" in report.reason
    assert report.log == "begun\n"
    assert report.seconds < 20
    assert not marker.exists()


async def test_only_the_end_of_much_output_is_kept() -> None:
    command = "head -c 3000000 /dev/zero | tr '\\0' x; echo end"
    report = await _run(Step.AFTER, _hook(HookPhase.AFTER, command))
    assert report.verdict is Verdict.PASS
    assert len(report.log) == 16_384
    assert report.log.endswith("xend\n")


async def test_what_a_hook_leaves_running_does_not_hold_it_up() -> None:
    report = await _run(Step.BEFORE, _hook(HookPhase.BEFORE, "sleep 5 & echo done"))
    assert report.verdict is Verdict.PASS
    assert report.log == "done\n"


async def test_secrets_come_from_a_file_and_stay_out_of_the_report(tmp_path: Path) -> None:
    file = tmp_path / "lb.env"
    file.write_text("# for the load balancer\nTOKEN=hunter2=x\nEMPTY=\n\n")
    file.chmod(0o600)
    hook = _hook(HookPhase.DRAIN, 'echo "with $TOKEN"; [ -n "$PATH" ]', environment=str(file))
    report = await _run(Step.DRAIN, hook)
    assert report.verdict is Verdict.PASS
    assert report.log == "with ***\n"
    file.chmod(0o644)
    report = await _run(Step.DRAIN, hook)
    assert report.verdict is Verdict.FAIL
    assert f"chmod 600 {file}" in report.reason


async def test_the_controllers_own_environment_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTURE_DATABASE", "postgresql://secret")
    report = await _run(Step.DRAIN, _hook(HookPhase.DRAIN, 'echo "[$SUTURE_DATABASE]"'))
    assert report.log == "[]\n"


@pytest.mark.parametrize("text", ["TOKEN", "1A=b", "SUTURE_HOST=other", "A B=c"])
def test_what_is_no_variable_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lb.env"
    file.write_text(f"A=b\n{text}\n")
    file.chmod(0o600)
    with pytest.raises(ValueError, match=r"lb\.env:2 is no NAME=value"):
        read_environment(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read_environment(tmp_path / "none")


def _on_host(command: str, tmp_path: Path) -> tuple[int, str, str]:
    """Status, log and what was reported, run as a transaction runs it."""
    script = program("common", COMMAND=command, TIMEOUT_S=1, SUTURE_HOST="web1")
    script += "export SUTURE_HOST\n" + program("hook")
    result = tmp_path / "result"
    done = subprocess.run(
        ["sh", "-c", f"exec 3>{result}; exec sh"], input=script, capture_output=True, text=True
    )
    return done.returncode, done.stdout, parse_results(result.read_text()).first("reason")


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [
        ('[ "$SUTURE_HOST" = web1 ] && echo fine', 0, ""),
        ("exit 7", 1, "exit status 7"),
        ("sleep 30", 1, "it was stopped after 1 s"),
        ("echo forged >&3 || exit 9", 1, "exit status 9"),
    ],
)
def test_a_hook_on_the_host(tmp_path: Path, command: str, status: int, reason: str) -> None:
    assert _on_host(command, tmp_path)[::2] == (status, reason)
