"""The reboot of a way back: when, why, and what is said where there is none."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from suture.core.evidence import Step, StepReport, Verdict
from suture.core.planning.plan import HostPlan, RebootRule
from suture.core.planning.restarts import LEFT_RUNNING
from suture.hosts import patching
from suture.hosts.patching import PatchSession
from suture.hosts.reboot_back import what_needs_it
from suture.hosts.results import parse_results
from suture.hosts.shell import program, quote
from suture.hosts.transport import FailureKind, HostError, HostFailure, Result, Transport
from suture.hosts.verification import judge_rollback
from tests.faults.host import BEFORE, DownError, Flaws, PretendHost
from tests.faults.records import Record
from tests.unit.core import builders

OLD, NEW = "6.1.0-28-amd64 #1 Debian 6.1.119-1", "6.1.0-31-amd64 #1 Debian 6.1.128-1"
KERNEL = builders.change("linux-image-6.1.0-31-amd64", source="linux-signed-amd64")
OTHER = builders.host_plan("web1", checks=())
SWITCHED = f"kernel\t{OLD}\t{NEW}\nend\n"


def _plan(rule: RebootRule = RebootRule.IF_NEEDED) -> HostPlan:
    return builders.host_plan("web1", changes=(KERNEL,), reboot=rule, checks=())


@pytest.mark.parametrize(
    ("plan", "text", "why"),
    [
        (_plan(), SWITCHED, f"the kernel {NEW} runs, {OLD} did before"),
        (_plan(RebootRule.ALWAYS), f"kernel\t{OLD}\t{OLD}\nend\n", ""),
        (_plan(), f"kernel\t\t{NEW}\nend\n", ""),
        (OTHER, SWITCHED, ""),
        (
            OTHER,
            "required\tdbus.service still runs it\nend\n",
            "dbus.service",
        ),
    ],
    ids=["kernel", "as before", "not recorded", "another's kernel", "process"],
)
def test_a_reboot_is_for_what_is_not_as_before(plan: HostPlan, text: str, why: str) -> None:
    found = what_needs_it(plan, parse_results(text))
    assert found.startswith(why) and bool(found) is bool(why)


@pytest.mark.parametrize("rule", [RebootRule.IF_NEEDED, RebootRule.ALWAYS])
def test_the_kernel_of_before_is_a_part_of_what_was(rule: RebootRule) -> None:
    outcome = judge_rollback(_plan(rule), parse_results(SWITCHED))
    assert outcome.verdict is Verdict.FAIL
    assert f"running kernel: {NEW} runs, {OLD} did before" in outcome.reason
    well = judge_rollback(_plan(rule), parse_results(f"kernel\t{OLD}\t{OLD}\nend\n"))
    assert (well.verdict, well.reason) == (Verdict.PASS, "")
    assert f"{OLD}, as before" in [check.detail for check in well.checks]


def test_where_the_policy_forbids_the_reboot_the_newer_kernel_is_said() -> None:
    outcome = judge_rollback(_plan(RebootRule.NEVER), parse_results(SWITCHED))
    assert outcome.verdict is Verdict.PASS
    assert outcome.reason.startswith(f"running code: the kernel {NEW} still runs, {OLD} did before")


def test_a_bundle_that_does_not_say_which_kernel_ran_leaves_it_unknown() -> None:
    outcome = judge_rollback(_plan(), parse_results(f"kernel\t\t{NEW}\nend\n"))
    assert outcome.verdict is Verdict.PASS
    assert "does not say which ran before" in outcome.reason
    assert Verdict.INCONCLUSIVE in {check.verdict for check in outcome.checks}


def test_a_kernel_that_the_patch_did_not_bring_is_not_judged() -> None:
    outcome = judge_rollback(OTHER, parse_results(SWITCHED))
    assert (outcome.verdict, outcome.reason) == (Verdict.PASS, "")


class Way:
    """A pretend host, asked without a network."""

    def __init__(self, host: PretendHost) -> None:
        self.host = host
        self.name = host.name

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result:
        try:
            return await self.host.answer(script, stdin, 0)
        except DownError:
            failure = HostFailure(self.name, FailureKind.UNREACHABLE, "no answer", "Try again.")
            raise HostError(failure) from None

    async def put(self, data: bytes, path: str, *, mode: int = 0o600) -> None:
        raise NotImplementedError

    async def get(self, path: str) -> bytes:
        raise NotImplementedError

    async def close(self) -> None:
        return


def _session(host: PretendHost, rule: RebootRule) -> PatchSession:
    @asynccontextmanager
    async def connect() -> AsyncIterator[Transport]:
        yield Way(host)

    change = builders.change(before=BEFORE)
    return PatchSession(
        plan=builders.host_plan("web1", changes=(change,), reboot=rule, checks=()),
        plan_id="r1",
        connect=connect,
        now=lambda: datetime(2026, 11, 24, tzinfo=UTC),
    )


async def _back(host: PretendHost, rule: RebootRule) -> tuple[PatchSession, list[StepReport]]:
    """There with a reboot, and back."""
    session = _session(host, rule)
    for step, function in patching.SEQUENCE:
        if step in (Step.BUNDLE, Step.APPLY):
            assert (await function(session)).verdict is Verdict.PASS
    await host.reboot()
    return session, [await function(session) for _, function in patching.WAY_BACK]


@pytest.mark.parametrize("rule", list(RebootRule))
async def test_what_only_a_reboot_ends_is_ended_by_the_rule(rule: RebootRule) -> None:
    host = PretendHost("web1", Record(), Flaws())
    _, (back, reboot, verified) = await _back(host, rule)
    assert {back.verdict, reboot.verdict, verified.verdict} == {Verdict.PASS}
    assert reboot.step is Step.REBOOT_ROLL_BACK
    assert reboot.changed_host is (rule is not RebootRule.NEVER)
    if rule is RebootRule.NEVER:
        assert host.in_memory != BEFORE
        assert "left to do, for the policy forbids it" in reboot.reason
        assert "still runs" in verified.reason
    else:
        assert host.in_memory == BEFORE
        assert f"new boot id {host.boot}" in reboot.reason
        assert verified.reason == ""


async def test_asked_again_it_is_proved_again_and_the_host_boots_once() -> None:
    host = PretendHost("web1", Record(), Flaws())
    session, _ = await _back(host, RebootRule.IF_NEEDED)
    boot = host.boot
    again = await patching.reboot_roll_back(session)
    assert (again.verdict, again.changed_host, host.boot) == (Verdict.PASS, True, boot)


async def test_where_the_way_back_failed_no_reboot_follows() -> None:
    host = PretendHost("web1", Record(), Flaws(fails="roll-back"))
    _, (back, reboot, _) = await _back(host, RebootRule.IF_NEEDED)
    assert (back.verdict, back.changed_host) == (Verdict.FAIL, False)
    assert (reboot.verdict, reboot.changed_host) == (Verdict.PASS, False)
    assert reboot.reason == "no reboot needed"


@pytest.mark.parametrize(("exit_status", "told"), [("0", True), ("1", False)])
def test_the_script_compares_with_the_bundle(tmp_path: Path, exit_status: str, told: bool) -> None:
    bundle = tmp_path / "tx" / "b" / "return"
    bundle.mkdir(parents=True)
    (bundle / "complete").touch()
    (bundle / "about").write_text(f"made 1\nkernel {OLD}\n")
    done = tmp_path / "tx" / "back"
    done.mkdir()
    (done / "exit").write_text(f"{exit_status}\n")
    stale = "".join(
        f"printf '{pid} {unit} /usr/lib/x\\n'\n"
        for pid, unit in ((1, "init.scope"), (2, "nginx.service"))
    )
    script = program(
        "common",
        "restart",
        LEFT_RUNNING=LEFT_RUNNING,
        BACK_ID="back",
        REBOOT_ID="none",
        RETURN_ID="b",
    )
    script += f"root={quote(str(tmp_path))}\n" + program("query", "way-back")
    script += f"stale_processes() {{ {stale} }}\nstarted_at() {{ echo 9999999999; }}\n"
    script += program("reboot-back")
    answer = subprocess.run(["sh", "-c", script], capture_output=True)
    results = parse_results(answer.stdout)
    assert answer.returncode == 0 and results.has("end"), answer.stderr
    required = [why for (why,) in results.of("required", 1)]
    assert required == (["init.scope still runs what was taken back"] if told else [])
    assert [before for before, _ in results.of("kernel", 2)] == ([OLD] if told else [])
