"""Patching real hosts with a package whose versions do what the test needs."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import msgspec
import pytest

from suture.core.evidence import Step, Verdict
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.hosts import patching
from tests.lab import probe
from tests.lab.box import SETTINGS, Box, box, run, take_back
from tests.lab.probe import CONFFILE, NAME

__all__ = ["box"]

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("patching")]

_HOLD_LOCK = """
cat >/run/locker.pl <<'EOF'
use Fcntl;
open my $lock, '+<', '/var/lib/dpkg/lock-frontend' or die;
my $all = pack('s s x![q] q q i x16', F_WRLCK, 0, 0, 0, 0);
fcntl $lock, F_SETLK, $all or die;
open my $mark, '>', '/run/locker.pid' or die;
print {$mark} "$$\\n";
close $mark;
sleep 300;
EOF
setsid perl /run/locker.pl >/dev/null 2>&1 </dev/null &
until [ -s /run/locker.pid ]; do sleep 0.1; done
"""


async def test_a_patch_takes_and_is_taken_back_exactly(box: Box) -> None:
    await box.sh(f"echo 'ours' >{CONFFILE}; chmod 640 {CONFFILE}; apt-mark auto {NAME} >/dev/null")
    before = await box.sh(
        f"cat {CONFFILE}; stat -c '%a %U' {CONFFILE}; dpkg-query -W; apt-mark showauto"
    )
    await probe.publish(
        box.transport, "2.0", config="new default", postinst=f"echo patched >{CONFFILE}.made"
    )
    session = box.session(await box.plan("2.0"))
    report = await run(session, Step.VERIFY)
    assert report.verdict is Verdict.PASS, report.reason
    assert await box.version() == "2.0 installed"
    assert await box.sh(f"cat {CONFFILE}") == "ours\n"
    assert any(f"{CONFFILE}.dpkg-dist" in check.detail for check in report.checks)
    assert NAME in (await box.sh("apt-mark showauto")).split()

    report = await take_back(session)
    assert report.verdict is Verdict.PASS, report.reason
    after = await box.sh(
        f"cat {CONFFILE}; stat -c '%a %U' {CONFFILE}; dpkg-query -W; apt-mark showauto"
    )
    assert after == before
    assert await box.sh(f"ls {CONFFILE}*") == f"{CONFFILE}\n"


async def test_what_runs_the_patched_code_after_a_way_back_is_said(box: Box) -> None:
    def run_deleted(name: str) -> str:
        file = f"/usr/local/bin/{name}"
        run = f"systemd-run --quiet --scope --unit={name} {file} 300"
        return (
            f"cp /bin/sleep {file}; setsid {run} >/dev/null 2>&1 </dev/null &\n"
            f"until pgrep -x {name} >/dev/null; do sleep 0.1; done; rm {file}"
        )

    await box.sh(run_deleted("probe-before"))
    await probe.publish(box.transport, "2.0")
    session = box.session(await box.plan("2.0"))
    report = await run(session, Step.VERIFY)
    assert "replaced code still runs in 1 process of probe-before.scope" in report.reason
    await box.sh(run_deleted("probe-since"))
    report = await take_back(session)
    await box.sh("systemctl stop probe-before.scope probe-since.scope")
    assert report.verdict is Verdict.PASS
    assert "was taken back still runs in 1 process of probe-since.scope" in report.reason
    assert "probe-before" not in report.reason


async def test_repeated_steps_are_reported_and_not_done_again(box: Box) -> None:
    await probe.publish(box.transport, "2.0", postinst="echo once >>/var/tmp/probe-runs")
    await box.sh("rm -f /var/tmp/probe-runs")
    session = box.session(await box.plan("2.0"))
    first = await run(session, Step.APPLY)
    again = await patching.apply(session)
    assert again.transaction == first.transaction
    assert again.verdict is Verdict.PASS
    assert await box.sh("cat /var/tmp/probe-runs") == "once\n"


async def test_a_lower_fence_is_refused_by_the_host(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    plan, plan_id = await box.plan("2.0"), uuid.uuid4().hex
    fence = int(await box.sh("cat /var/lib/suture/fence 2>/dev/null || echo 0")) + 10
    assert (await patching.acquire(box.session(plan, plan_id, fence=fence))).verdict is Verdict.PASS
    woken = await patching.bundle(box.session(plan, plan_id, fence=fence - 1))
    assert woken.verdict is Verdict.FAIL
    assert f"its fence is {fence}" in woken.reason
    assert not woken.changed_host
    await box.sh("rm /var/lib/suture/fence")


async def test_no_bundle_no_patch(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    session = box.session(await box.plan("2.0"))
    await run(session, Step.PREFLIGHT)
    report = await patching.apply(session)
    assert report.verdict is Verdict.FAIL
    assert "no return bundle" in report.reason
    assert not report.changed_host
    assert await box.version() == "1.0 installed"


async def test_a_failing_postinst_names_its_source_and_is_taken_back(box: Box) -> None:
    await probe.publish(box.transport, "2.0", postinst="echo cannot migrate >&2; exit 1")
    session = box.session(await box.plan("2.0"))
    report = await run(session, Step.APPLY)
    assert report.verdict is Verdict.FAIL
    assert report.changed_host
    assert report.suspects == (NAME,)
    assert "cannot migrate" in report.log
    assert "half-configured" in await box.version()

    report = await take_back(session)
    assert report.verdict is Verdict.PASS, report.reason
    assert await box.version() == "1.0 installed"
    assert await box.sh("dpkg --audit") == ""


async def test_a_service_that_breaks_fails_verification_and_comes_back(box: Box) -> None:
    await probe.publish(box.transport, "2.0", postinst=f"echo bad >{CONFFILE}")
    session = box.session(await box.plan("2.0"))
    report = await run(session, Step.VERIFY)
    assert report.verdict is Verdict.FAIL
    assert report.changed_host
    assert report.suspects == (NAME,)
    assert "failed units" in report.reason
    report = await take_back(session)
    assert report.verdict is Verdict.PASS, report.reason
    assert await box.sh(f"systemctl is-active {NAME}") == "active\n"


async def test_what_failed_before_is_neither_blamed_nor_passed(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    broken = HealthCheck(HealthCheckKind.COMMAND, "echo no such thing; exit 3")
    session = box.session(await box.plan("2.0", checks=(broken,)))
    report = await run(session, Step.VERIFY)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "failed before already" in report.reason


async def test_an_archive_that_serves_other_bytes_changes_nothing(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    plan = await box.plan("2.0")
    await probe.publish(box.transport, "2.0", config="something else")
    await box.sh(f"rm -f /var/lib/suture/cache/{NAME}_2.0*")
    report = await patching.acquire(box.session(plan))
    assert report.verdict is Verdict.FAIL
    assert plan.changes[0].sha256 in report.reason
    assert not report.changed_host


async def test_an_archive_that_is_gone_is_said_and_a_second_try_works(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    plan = await box.plan("2.0")
    await box.sh(
        f"rm -f /var/lib/suture/cache/{NAME}_2.0*; mv {probe.ARCHIVE} {probe.ARCHIVE}.away"
    )
    report = await patching.acquire(box.session(plan))
    assert report.verdict is Verdict.FAIL
    assert f"{NAME} 2.0 could not be had" in report.reason
    await box.sh(f"mv {probe.ARCHIVE}.away {probe.ARCHIVE}")
    assert (await patching.acquire(box.session(plan))).verdict is Verdict.PASS


async def test_an_old_version_that_no_archive_has_is_rebuilt(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    plan = await box.plan("2.0")
    await box.sh(
        f"rm -f {probe.ARCHIVE}/{NAME}_1.0* /var/lib/suture/cache/{NAME}_1.0* "
        f"/var/cache/apt/archives/{NAME}*"
    )
    await probe.publish(box.transport, "2.0")
    plan = await box.plan("2.0")
    await box.sh(f"chmod 600 {CONFFILE}")
    content = f"dpkg -L {NAME} | xargs -d '\\n' stat -c '%n %a %U %F'; dpkg --verify {NAME}"
    before = await box.sh(content)
    session = box.session(plan)
    report = await patching.acquire(session)
    assert any("rebuilt" in check.detail for check in report.checks), report
    assert (await run(session, Step.VERIFY)).verdict is Verdict.PASS
    report = await take_back(session)
    assert report.verdict is Verdict.PASS, report.reason
    assert await box.version() == "1.0 installed"
    assert await box.sh(content) == before
    await box.sh(f"rm -f /var/lib/suture/cache/{NAME}_1.0*")


async def test_a_held_lock_names_its_holder(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    session = box.session(await box.plan("2.0"))
    await patching.acquire(session)
    await box.sh(_HOLD_LOCK)
    try:
        report = await patching.preflight(session)
    finally:
        await box.sh("kill $(cat /run/locker.pid); rm -f /run/locker.pid")
    assert report.verdict is Verdict.FAIL
    assert "/var/lib/dpkg/lock-frontend by process" in report.reason
    assert "perl" in report.reason
    assert not report.changed_host
    assert (await run(session, Step.VERIFY)).verdict is Verdict.PASS


async def test_a_wrong_clock_is_noticed(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    session = box.session(await box.plan("2.0"))
    await patching.acquire(session)
    session.now = lambda: datetime(2020, 1, 1, tzinfo=UTC)
    report = await patching.preflight(session)
    assert report.verdict is Verdict.FAIL
    assert "clock" in report.reason


async def test_a_host_in_another_state_is_left_alone(box: Box) -> None:
    await probe.publish(box.transport, "1.5")
    await probe.publish(box.transport, "2.0")
    session = box.session(await box.plan("2.0"))
    await patching.acquire(session)
    await probe.install(box.transport, "1.5")
    report = await patching.preflight(session)
    assert report.verdict is Verdict.FAIL
    assert "is 1.5" in report.reason
    report = await patching.bundle(session)
    assert report.verdict is Verdict.FAIL
    assert not report.changed_host


async def test_a_closure_that_grew_is_refused(box: Box) -> None:
    await probe.publish(box.transport, "1.0", name=f"{NAME}-extra", unit=False)
    await probe.publish(box.transport, "2.0", depends=f"{NAME}-extra")
    session = box.session(await box.plan("2.0"))
    await patching.acquire(session)
    report = await patching.preflight(session)
    assert report.verdict is Verdict.FAIL
    assert "closure differs" in report.reason


async def test_a_new_package_is_purged_on_the_way_back(box: Box) -> None:
    extra = f"{NAME}-extra"
    await probe.publish(
        box.transport, "1.0", name=extra, unit=False, postinst="touch /etc/probe-extra"
    )
    await probe.publish(box.transport, "2.0", depends=extra)
    plan = probe.host_plan(
        box.server.host.name,
        await probe.change(box.transport, "1.0", "2.0"),
        await probe.change(box.transport, None, "1.0", name=extra),
    )
    session = box.session(plan)
    report = await run(session, Step.VERIFY)
    assert report.verdict is Verdict.PASS, report.reason
    assert extra in (await box.sh("apt-mark showauto")).split()
    report = await take_back(session)
    assert report.verdict is Verdict.PASS, report.reason
    assert await box.version(extra) == ""
    assert await box.sh("ls /etc/probe-extra 2>/dev/null || true") == ""


async def test_the_way_back_refuses_when_somebody_went_on(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    session = box.session(await box.plan("2.0"))
    assert (await run(session, Step.VERIFY)).verdict is Verdict.PASS
    await probe.publish(box.transport, "3.0")
    await probe.install(box.transport, "3.0")
    report = await patching.roll_back(session)
    assert report.verdict is Verdict.FAIL
    assert "is now 3.0" in report.reason
    assert not report.changed_host
    assert await box.version() == "3.0 installed"


async def test_what_somebody_else_configured_since_is_kept(box: Box) -> None:
    await probe.publish(box.transport, "2.0", postinst="echo new >/etc/probe-made")
    await box.sh("rm -f /etc/probe-made; echo 1 >/etc/probe-theirs")
    session = box.session(await box.plan("2.0"))
    assert (await run(session, Step.VERIFY)).verdict is Verdict.PASS
    await box.sh("echo 2 >/etc/probe-theirs")
    report = await take_back(session)
    assert report.verdict is Verdict.PASS, report.reason
    assert await box.sh("cat /etc/probe-theirs") == "2\n"
    assert any("/etc/probe-theirs" in check.detail for check in report.checks)
    assert await box.sh("ls /etc/probe-made 2>/dev/null || true") == ""


async def test_other_updaters_pause_for_the_installation_and_come_back(box: Box) -> None:
    timers = "systemctl is-active apt-daily.timer apt-daily-upgrade.timer || true"
    before = await box.sh(timers)
    assert before == "active\nactive\n"
    await probe.publish(
        box.transport,
        "2.0",
        postinst="systemctl is-active apt-daily.timer >/var/tmp/probe-timer; exit 1",
    )
    session = box.session(await box.plan("2.0"))
    assert (await run(session, Step.APPLY)).verdict is Verdict.FAIL
    assert await box.sh("cat /var/tmp/probe-timer") == "inactive\n"
    assert await box.sh(timers) == before
    assert (await take_back(session)).verdict is Verdict.PASS
    assert await box.sh(timers) == before


async def test_other_updaters_go_on_where_the_policy_says_so(box: Box) -> None:
    await probe.publish(
        box.transport, "2.0", postinst="systemctl is-active apt-daily.timer >/var/tmp/probe-timer"
    )
    settings = msgspec.structs.replace(SETTINGS, pause_updaters=False)
    session = box.session(await box.plan("2.0"), settings=settings)
    assert (await run(session, Step.APPLY)).verdict is Verdict.PASS
    assert await box.sh("cat /var/tmp/probe-timer") == "active\n"


async def test_a_host_keeps_free_what_the_policy_says(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    settings = msgspec.structs.replace(SETTINGS, min_free_mib=(("/boot", 999_999_999),))
    session = box.session(await box.plan("2.0"), settings=settings)
    await patching.acquire(session)
    report = await patching.preflight(session)
    assert report.verdict is Verdict.FAIL
    assert "disk space: / has" in report.reason and "999999999 MiB have to stay" in report.reason
    await box.sh("[ ! -e /var/tmp/probe-timer ] || rm /var/tmp/probe-timer")
