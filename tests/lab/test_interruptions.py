"""Patching real hosts while the connection, the controller, the disk or the machine goes away."""

from __future__ import annotations

import asyncio
import uuid

import msgspec
import pytest

from suture.core.evidence import Step, Verdict
from suture.core.planning.plan import RebootRule
from suture.hosts import patching
from tests.lab import probe
from tests.lab.box import Box, box, run, take_back
from tests.lab.probe import NAME, sh

__all__ = ["box"]

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("interruptions")]

_WAIT = "touch /run/probe-in; while [ -e /run/probe-in ]; do sleep 0.2; done; echo once >>/run/runs"


async def until_installing(box: Box) -> None:
    await box.sh("until [ -e /run/probe-in ]; do sleep 0.1; done")


async def test_a_cut_connection_and_a_new_sshd_do_not_disturb_it(box: Box) -> None:
    await box.sh("rm -f /run/runs /run/probe-in")
    await probe.publish(box.transport, "2.0", postinst=_WAIT + "; systemctl restart ssh")
    session = box.session(await box.plan("2.0"))
    await run(session, Step.BUNDLE)
    applying = asyncio.create_task(patching.apply(session))
    await until_installing(box)
    await box.sh(
        "for pid in $(pgrep -f '^sshd: .*@'); do\n"
        '  grep -q "^PPid:[[:space:]]*$pid$" /proc/$$/status || kill -9 $pid\n'
        "done; rm /run/probe-in"
    )
    report = await applying
    assert report.verdict is Verdict.PASS, report.reason
    assert await box.sh("cat /run/runs") == "once\n"
    assert (await patching.verify(session)).verdict is Verdict.PASS


async def test_a_controller_that_died_finds_its_transaction_again(box: Box) -> None:
    await box.sh("rm -f /run/runs /run/probe-in")
    await probe.publish(box.transport, "2.0", postinst=_WAIT)
    plan, plan_id = await box.plan("2.0"), uuid.uuid4().hex
    first = box.session(plan, plan_id)
    await run(first, Step.BUNDLE)
    applying = asyncio.create_task(patching.apply(first))
    await until_installing(box)
    applying.cancel()
    await first.close()
    second = asyncio.create_task(patching.apply(box.session(plan, plan_id)))
    await box.sh("rm /run/probe-in")
    report = await second
    assert report.verdict is Verdict.PASS, report.reason
    assert await box.sh("cat /run/runs") == "once\n"


async def test_a_killed_transaction_is_told_and_taken_back(box: Box) -> None:
    await box.sh("rm -f /run/probe-in")
    await probe.publish(box.transport, "2.0", postinst=_WAIT)
    session = box.session(await box.plan("2.0"))
    await run(session, Step.BUNDLE)
    applying = asyncio.create_task(patching.apply(session))
    await until_installing(box)
    unit = f"suture-{session.transaction_id(Step.APPLY)}"
    await box.sh(
        "tree() { for child in $(pgrep -P $1); do tree $child; done; echo $1; }\n"
        f"kill -KILL $(tree $(systemctl show -p MainPID --value {unit})) || true"  # or gone by then
    )
    report = await applying
    assert report.verdict is Verdict.FAIL
    assert "interrupted by the death of its process" in report.reason
    assert report.changed_host
    await box.sh("rm -f /run/probe-in")
    report = await take_back(session)
    assert report.verdict is Verdict.PASS, report.reason
    assert await box.version() == "1.0 installed"
    assert "apt-daily.timer" in await box.sh("systemctl list-timers --no-legend")


async def test_only_one_transaction_at_a_time(box: Box) -> None:
    await box.sh("rm -f /run/probe-in")
    await probe.publish(box.transport, "2.0", postinst=_WAIT)
    plan = await box.plan("2.0")
    session = box.session(plan)
    await run(session, Step.BUNDLE)
    applying = asyncio.create_task(patching.apply(session))
    await until_installing(box)
    other = await patching.acquire(box.session(plan))
    assert other.verdict is Verdict.FAIL
    assert "another transaction" in other.reason
    assert not other.changed_host
    await box.sh("rm -f /run/probe-in")
    assert (await applying).verdict is Verdict.PASS


async def test_a_full_disk_is_noticed_before_anything_is_fetched(box: Box) -> None:
    await probe.publish(box.transport, "2.0", payload_kib=4096)
    plan = await box.plan("2.0")
    await box.sh("mkdir -p /var/lib/suture; mount -t tmpfs -o size=1m tmpfs /var/lib/suture")
    try:
        report = await patching.acquire(box.session(plan))
    finally:
        await box.sh("umount /var/lib/suture")
    assert report.verdict is Verdict.FAIL
    assert report.reason.startswith("disk full: downloading the packages needs 8 MiB")
    assert not report.changed_host
    assert (await patching.acquire(box.session(plan))).verdict is Verdict.PASS


async def test_a_disk_that_fills_up_while_unpacking_is_taken_back(box: Box) -> None:
    await probe.publish(box.transport, "2.0", payload_kib=4096)
    session = box.session(await box.plan("2.0"))
    await run(session, Step.BUNDLE)
    directory = f"/usr/lib/{NAME}"
    await box.sh(
        f"cp -a {directory} /run/kept; mount -t tmpfs -o size=1m tmpfs {directory}; "
        f"cp -a /run/kept/. {directory}/; rm -rf /run/kept"
    )
    try:
        report = await patching.apply(session)
        assert report.verdict is Verdict.FAIL
        assert "No space left" in report.log
        report = await take_back(session)
        assert report.verdict is Verdict.PASS, report.reason
        assert await box.version() == "1.0 installed"
    finally:
        await box.sh(f"umount -l {directory}; apt-get install -qq --reinstall {NAME}=1.0")


async def test_a_reboot_is_proved_by_another_boot_id(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    plan = await box.plan("2.0")
    session = box.session(msgspec.structs.replace(plan, reboot=RebootRule.ALWAYS))
    before = await box.sh("cat /proc/sys/kernel/random/boot_id")
    report = await run(session, Step.REBOOT)
    assert report.verdict is Verdict.PASS, report.reason
    again = await patching.reboot(session)
    assert again.verdict is Verdict.PASS
    assert (await patching.verify(session)).verdict is Verdict.PASS
    async with box.server.connect() as transport:
        assert await sh(transport, "cat /proc/sys/kernel/random/boot_id") != before
        assert await sh(transport, "uptime -s; systemctl is-active ssh")
