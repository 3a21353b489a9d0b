"""Rehearsals on twins of real hosts: what passes, what is caught, and what is named."""

from __future__ import annotations

import msgspec
import pytest

from lab import packages
from suture.core.controls import Control, Mask, Module, Setting, SettingFormat, Sysctl
from suture.core.documents import digest
from suture.core.evidence import Step, Verdict
from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.core.intelligence.advisory_index import AdvisoryIndex
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.plan import Plan, RebootRule
from suture.twin.load import LoadSettings
from suture.twin.regression import Regression, changed_earlier
from tests.lab.stage import Stage, stage

__all__ = ["stage"]

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("rehearsals")]

_ALL_BUT_FEW = ("*nginx*", "lib*", "perl*", "python*", packages.GREETER)


async def test_a_good_set_passes_and_is_taken_back_exactly(stage: Stage) -> None:
    plan = await stage.plan(without=(packages.GREETER,))
    assert len(plan.hosts[0].changes) > 10
    rehearsal = await stage.rehearse(plan)
    assert rehearsal.verdict is Verdict.PASS, rehearsal.reason
    steps = [report.step for report in rehearsal.reports]
    assert steps[-3:] == [Step.ROLL_BACK, Step.REBOOT_ROLL_BACK, Step.VERIFY_ROLL_BACK]
    assert {check.verdict for check in rehearsal.baseline} == {Verdict.PASS}


async def test_a_package_that_breaks_its_service_is_caught_and_named(stage: Stage) -> None:
    plan = await stage.plan()
    rehearsal = await stage.rehearse(plan)
    assert rehearsal.verdict is Verdict.FAIL, rehearsal.reason
    assert rehearsal.suspects == (packages.GREETER,)
    assert rehearsal.reports[-1].step is Step.VERIFY_ROLL_BACK
    assert rehearsal.reports[-1].verdict is Verdict.PASS


async def test_harm_that_no_unit_shows_is_found_by_trying_parts(stage: Stage) -> None:
    plan = await stage.plan(without=_ALL_BUT_FEW)
    (one,) = plan.hosts
    old = f"dpkg-query -W -f '${{Version}}' {packages.NOTES} | grep -qxF {packages.OLD}"
    check = HealthCheck(HealthCheckKind.COMMAND, old)
    one = msgspec.structs.replace(one, checks=(*one.checks, check), reboot=RebootRule.ALWAYS)
    assert len({change.source for change in one.changes}) > 2
    rehearsal = await stage.rehearse(msgspec.structs.replace(plan, hosts=(one,)))
    assert rehearsal.verdict is Verdict.FAIL, rehearsal.reason
    assert rehearsal.suspects == (packages.NOTES,)


def _grace(value: str) -> Control:
    setting = Setting(
        "/etc/ssh/sshd_config",
        "LoginGraceTime",
        value,
        SettingFormat.SSHD,
        reload="ssh.service",
        validate="sshd -t",
    )
    return Control(id="grace", title="t", reason="r", setting=setting)


_CONTROLS = (
    Control(id="ptrace", title="t", reason="r", sysctl=Sysctl("kernel.yama.ptrace_scope", "2")),
    Control(id="no-aead", title="t", reason="r", module=Module("algif_aead")),
    Control(id="no-cron", title="t", reason="r", mask=Mask("cron.service")),
    _grace("0"),
)


async def test_controls_alone_are_tried_on_a_twin_and_taken_back(stage: Stage) -> None:
    plan = await stage.plan(without=_ALL_BUT_FEW)
    one = msgspec.structs.replace(plan.hosts[0], changes=(), controls=_CONTROLS)
    rehearsal = await stage.rehearse(msgspec.structs.replace(plan, hosts=(one,)))
    assert rehearsal.verdict is Verdict.PASS, rehearsal
    steps = {report.step: report for report in rehearsal.reports}
    verified = {check.name: check for check in steps[Step.VERIFY].checks}
    assert all(verified[f"control {one.id}"].verdict is Verdict.PASS for one in _CONTROLS)
    assert "not the twin's own" in verified["control ptrace"].detail
    assert steps[Step.VERIFY_ROLL_BACK].verdict is Verdict.PASS


async def test_a_control_that_does_harm_blames_no_package(stage: Stage) -> None:
    plan = await stage.plan(without=_ALL_BUT_FEW)
    one = msgspec.structs.replace(plan.hosts[0], controls=(_grace("soon"),))
    rehearsal = await stage.rehearse(msgspec.structs.replace(plan, hosts=(one,)))
    assert rehearsal.verdict is Verdict.FAIL, rehearsal
    assert "control grace: `sshd -t` says" in rehearsal.reason
    assert rehearsal.suspects == ()
    assert rehearsal.reports[-1].step is Step.VERIFY_ROLL_BACK
    assert rehearsal.reports[-1].verdict is Verdict.PASS


_CONFIGURATION = "/etc/ssh/sshd_config"

_IN_FORCE = Control(
    id="earlier", title="t", reason="r", sysctl=Sysctl("kernel.yama.ptrace_scope", "2")
)


def _earlier(stage: Stage, *advisories: Advisory) -> Regression:
    closed = tuple(cve for advisory in advisories for cve in advisory.cves)
    index = AdvisoryIndex(advisories)
    return Regression(stage.server.host, closed, (_IN_FORCE,), (_CONFIGURATION,), index)


def _advisory(plan: Plan, fixed: str, introduced: str = "") -> Advisory:
    """About the first package of the distribution's own that the plan changes."""
    change = next(one for one in plan.hosts[0].changes if one.source != packages.NOTES)
    affected = Affected("debian:12", change.source, FixState.FIXED, fixed, introduced)
    return Advisory("CVE-2099-1", "debian", ("CVE-2099-1",), (affected,))


async def test_what_earlier_rollouts_achieved_is_found_again_on_the_twin(stage: Stage) -> None:
    plan = await stage.plan(without=_ALL_BUT_FEW)
    closed = _earlier(stage, _advisory(plan, "0~"))
    rehearsal = await stage.rehearse(plan, regression=closed)
    assert rehearsal.verdict is Verdict.PASS, rehearsal
    assert [(check.name, check.verdict) for check in rehearsal.regression] == [
        ("vulnerabilities closed earlier", Verdict.PASS),
        ("configuration changed earlier", Verdict.PASS),
        ("control earlier, in force", Verdict.PASS),
        ("configuration changed earlier, after the way back", Verdict.PASS),
    ]
    details = [check.detail for check in rehearsal.regression]
    assert details[0] == "1 are still closed"
    assert details[1] == "1 files are as they were"
    assert "in its file" in details[2]


async def test_the_host_tells_what_configuration_earlier_patches_changed(stage: Stage) -> None:
    stage.server.run(
        "mkdir -p /var/lib/suture/tx/earlier/return; cd /var/lib/suture/tx/earlier/return; "
        "printf 'f:1\t/etc/a\nf:1\t/etc/b\n' >config-before; : >complete; "
        "printf 'f:1\t/etc/a\nf:2\t/etc/b\nf:3\t/etc/c\n' >config-after"
    )
    async with stage.server.connect() as transport:
        assert await changed_earlier(transport) == ("/etc/b", "/etc/c")
    stage.server.run("rm -r /var/lib/suture/tx/earlier")


async def test_a_patch_that_opens_again_what_was_closed_fails(stage: Stage) -> None:
    plan = await stage.plan(without=_ALL_BUT_FEW)
    change = next(one for one in plan.hosts[0].changes if one.source != packages.NOTES)
    opened = _earlier(stage, _advisory(plan, "9999:0", introduced=change.source_version))
    rehearsal = await stage.rehearse(plan, regression=opened)
    assert rehearsal.verdict is Verdict.FAIL, rehearsal
    assert f"open again: CVE-2099-1 ({change.source})" in rehearsal.reason
    assert rehearsal.suspects == (change.source,)
    assert rehearsal.reports[-1].verdict is Verdict.PASS


async def test_a_check_that_needs_data_left_out_is_not_counted(stage: Stage) -> None:
    plan = await stage.plan(without=_ALL_BUT_FEW)
    (one,) = plan.hosts
    check = HealthCheck(HealthCheckKind.COMMAND, "test -s /srv/data")
    one = msgspec.structs.replace(one, checks=(*one.checks, check))
    rehearsal = await stage.rehearse(msgspec.structs.replace(plan, hosts=(one,)))
    assert rehearsal.verdict is Verdict.PASS, rehearsal.reason
    assert [c.verdict for c in rehearsal.baseline][-1] is Verdict.INCONCLUSIVE


async def test_load_on_a_twin_is_measured_in_every_state(stage: Stage) -> None:
    """What it comes to depends on what else this machine does."""
    plan = await stage.plan(without=_ALL_BUT_FEW)
    load = LoadSettings(stage.server.web, min_effect=1.0, seconds=10)
    rehearsal = await stage.rehearse(plan, load)
    found = rehearsal.performance
    assert found is not None and found.verdict is rehearsal.verdict, rehearsal
    assert rehearsal.verdict is not Verdict.FAIL, found.reason
    effects = {one.measure.name: one.effect for one in found.judgements}
    assert list(effects)[:2] == ["latency", "throughput"]
    for name in ("latency", "throughput", "memory"):  # CPU is not always counted often enough
        assert effects[name] is not None, found
    for side in (found.before, found.after):
        assert side is not None and side.requests > 100 and side.failed == 0


async def test_a_patch_that_makes_a_command_slower_fails(stage: Stage) -> None:
    plan = await stage.plan(without=_ALL_BUT_FEW)
    (one,) = plan.hosts
    changes = tuple(change for change in one.changes if change.source == packages.NOTES)
    one = msgspec.structs.replace(one, changes=changes, patch_set=digest(changes))
    new = f"dpkg-query -W -f '${{Version}}' {packages.NOTES} | grep -qxF {packages.NEW}"
    load = LoadSettings(f"sleep 0.1; if {new}; then sleep 0.5; fi", min_effect=0.5, seconds=10)
    rehearsal = await stage.rehearse(msgspec.structs.replace(plan, hosts=(one,)), load)
    assert rehearsal.verdict is Verdict.FAIL, rehearsal
    assert rehearsal.reason.startswith("performance: ") and "throughput: " in rehearsal.reason
    assert rehearsal.suspects == (packages.NOTES,)
    assert rehearsal.performance is not None and rehearsal.performance.alternations == 2
    assert rehearsal.reports[-1].step is Step.VERIFY_ROLL_BACK
    assert rehearsal.reports[-1].verdict is Verdict.PASS


async def test_load_that_nothing_on_the_twin_answers_is_inconclusive(stage: Stage) -> None:
    plan = await stage.plan(without=_ALL_BUT_FEW)
    rehearsal = await stage.rehearse(plan, LoadSettings("http://127.0.0.1:9/", 0.1, 10))
    assert rehearsal.verdict is Verdict.INCONCLUSIVE
    assert "fails on the twin without the patch already" in rehearsal.reason
