"""Controls on real hosts: there, proved, and back to exactly what was before."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from lab.fleet import LabHost
from suture.core.controls import Control, Mask, Module, Setting, SettingFormat, Sysctl
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.plan import HostPlan
from suture.core.selection.ledger import Change
from suture.hosts import patching
from suture.hosts.patching import SEQUENCE, WAY_BACK, PatchSession, PatchSettings
from suture.hosts.transport import Transport
from tests.lab import probe
from tests.lab.probe import sh

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("controls")]

_SSHD = "/etc/ssh/sshd_config"
_SETTINGS = PatchSettings(reconnect_s=60, lock_wait_s=3, health_wait_s=4)
_ALIVE = HealthCheck(HealthCheckKind.UNIT, "ssh.service")

# Everything that a control may touch: bytes, modes, owners and times of files, units, the kernel.
_STATE = """
find /etc /srv/app ! -type d -printf '%p %y %m %U:%G %Ts %l\\n' | sort
find /etc -type d -printf '%p %m %U:%G\\n' | sort
find /etc /srv/app -type f -print0 | sort -z | xargs -0 sha256sum
systemctl list-units --no-legend --plain --state=active --type=service,socket,timer |
    awk '{ print $1 }' | grep -v '^suture-\\|^session\\|^user\\|^systemd-\\|^run-' | sort
systemctl is-enabled cron.service
cat /proc/sys/kernel/msgmax /proc/sys/kernel/core_pattern
sshd -T | grep logingracetime
"""

# A unit that does not start with some settings.
_PICKY = """
cat >/run/systemd/system/picky.service <<'END'
[Service]
Type=notify
NotifyAccess=all
EnvironmentFile=/srv/app/picky.env
ExecStart=/bin/sh -c 'test $MOOD = good && systemd-notify --ready && exec sleep infinity'
END
echo MOOD=good >/srv/app/picky.env
systemctl daemon-reload
systemctl start picky
"""


def control(name: str, **change: Any) -> Control:
    return Control(id=name, title=name, reason="a test", cves=("CVE-2026-0001",), **change)


def sshd(key: str, value: str, name: str = "sshd") -> Control:
    setting = Setting(
        _SSHD, key, value, SettingFormat.SSHD, reload="ssh.service", validate="sshd -t"
    )
    return control(name, setting=setting)


SYSCTL = control("msgmax", sysctl=Sysctl("kernel.msgmax", "9000"))
MODULE = control("no-aead", module=Module("algif-aead"))
MASK = control("no-cron", mask=Mask("cron.service"))
GRACE = sshd("LoginGraceTime", "0")
NEW_FILE = control(
    "new-file", setting=Setting("/etc/app.ini", "Key", "a b", SettingFormat.INI, section="x")
)
ELSEWHERE = control(
    "elsewhere", setting=Setting("/srv/app/app.conf", "debug", "no", SettingFormat.KEY_VALUE)
)
ALL = (SYSCTL, MODULE, MASK, GRACE, NEW_FILE, ELSEWHERE)


@dataclass
class Box:
    """A host with something of each kind to control, and sessions on it."""

    server: LabHost
    transport: Transport
    sessions: list[PatchSession] = field(default_factory=list)

    def plan(self, *controls: Control, changes: tuple[Change, ...] = (), **fields: Any) -> HostPlan:
        made = probe.host_plan(self.server.host.name, *changes, checks=(_ALIVE,), **fields)
        return replace(made, controls=controls)

    def session(self, plan: HostPlan) -> PatchSession:
        session = PatchSession(
            plan=plan,
            plan_id=uuid.uuid4().hex,
            connect=self.server.connect,
            now=lambda: datetime.now(UTC),
            settings=_SETTINGS,
        )
        self.sessions.append(session)
        return session

    async def sh(self, script: str) -> str:
        return await sh(self.transport, script)

    async def state(self) -> list[str]:
        return (await self.sh(_STATE)).splitlines()


@pytest.fixture(scope="module")
def controlled(server: LabHost) -> LabHost:
    server.run("mount -o bind,remount,rw /proc/sys; mkdir -p /srv/app")
    server.run("printf '# ours\\ndebug=yes' >/srv/app/app.conf; chmod 640 /srv/app/app.conf")
    return server


@pytest.fixture
async def box(controlled: LabHost) -> AsyncIterator[Box]:
    async with controlled.connect() as transport:
        box = Box(controlled, transport)
        yield box
        for session in box.sessions:
            await session.close()


async def run(session: PatchSession, until: Step) -> StepReport:
    """The steps up to ``until``; every one before must pass."""
    for step, function in SEQUENCE:
        report = await function(session)
        if step is until:
            return report
        assert report.verdict is Verdict.PASS, report
    raise AssertionError(until)


async def take_back(session: PatchSession) -> StepReport:
    for _, function in WAY_BACK:
        report = await function(session)
        assert report.verdict is Verdict.PASS, report
    return report


async def test_every_kind_takes_and_is_taken_back_exactly(box: Box) -> None:
    before = await box.state()
    session = box.session(box.plan(*ALL))
    report = await run(session, Step.VERIFY)
    assert report.verdict is Verdict.PASS, report
    checks = {check.name: check.verdict for check in report.checks}
    assert all(checks[f"control {one.id}"] is Verdict.PASS for one in ALL)

    assert await box.sh("cat /proc/sys/kernel/msgmax /etc/sysctl.d/zz-suture-msgmax.conf") == (
        "9000\n# Suture control msgmax\nkernel.msgmax = 9000\n"
    )
    assert "install algif-aead /bin/false" in await box.sh("cat /etc/modprobe.d/suture-*.conf")
    assert await box.sh("systemctl is-enabled cron || true") == "masked\n"
    assert await box.sh("systemctl is-active cron || true") == "inactive\n"
    assert await box.sh("sshd -T | grep logingracetime") == "logingracetime 0\n"
    assert await box.sh("cat /etc/app.ini /srv/app/app.conf") == "[x]\nKey=a b\n# ours\ndebug=no\n"

    report = await take_back(session)
    assert await box.state() == before
    checks = {check.name: check.verdict for check in report.checks}
    assert checks["control msgmax"] is Verdict.PASS


async def test_a_control_that_is_in_force_changes_nothing(box: Box) -> None:
    first = box.session(box.plan(*ALL))
    await run(first, Step.VERIFY)
    before = await box.state()
    again = box.session(box.plan(*ALL))
    report = await run(again, Step.APPLY)
    assert report.verdict is Verdict.PASS, report
    assert not report.changed_host
    assert await box.state() == before
    await take_back(first)


async def test_patches_and_controls_are_one_transaction(box: Box) -> None:
    await probe.publish(box.transport, "1.0")
    await probe.install(box.transport, "1.0")
    await probe.publish(box.transport, "2.0")
    before = await box.state()
    change = await probe.change(box.transport, "1.0", "2.0")
    session = box.session(box.plan(SYSCTL, MASK, changes=(change,)))
    report = await run(session, Step.VERIFY)
    assert report.verdict is Verdict.PASS, report
    await take_back(session)
    assert await box.state() == before
    assert await box.sh("dpkg-query -W -f '${Version}' suture-probe") == "1.0"


async def test_what_breaks_sshd_is_refused_by_its_validation_and_put_back(box: Box) -> None:
    before = await box.state()
    session = box.session(box.plan(SYSCTL, sshd("LoginGraceTime", "soon"), MASK))
    report = await run(session, Step.APPLY)
    assert report.verdict is Verdict.FAIL
    assert "control sshd: `sshd -t` says" in report.reason
    assert f"{_SSHD} was put back" in report.reason
    assert report.changed_host
    assert await box.sh("sshd -t; cat /proc/sys/kernel/msgmax") == "9000\n"
    assert await box.sh("systemctl is-enabled cron") == "enabled\n"
    await take_back(session)
    assert await box.state() == before


async def test_a_unit_that_does_not_come_up_with_it_gets_its_file_back(box: Box) -> None:
    setting = Setting(
        "/srv/app/picky.env", "MOOD", "bad", SettingFormat.KEY_VALUE, reload="picky.service"
    )
    await box.sh(_PICKY)
    before = await box.state()
    session = box.session(box.plan(control("picky", setting=setting)))
    report = await run(session, Step.APPLY)
    assert report.verdict is Verdict.FAIL
    said = "picky.service does not come up with it; /srv/app/picky.env was put back"
    assert said in report.reason
    assert await box.sh("cat /srv/app/picky.env") == "MOOD=good\n"
    await take_back(session)
    assert await box.state() == before
    await box.sh("systemctl stop picky; rm /run/systemd/system/picky.service /srv/app/picky.env")


async def test_a_setting_that_another_file_overrules_is_not_believed(box: Box) -> None:
    await box.sh("echo 'LoginGraceTime 30' >/etc/ssh/sshd_config.d/00-first.conf")
    late = Setting("/etc/ssh/sshd_config.d/50-late.conf", "LoginGraceTime", "0", SettingFormat.SSHD)
    session = box.session(box.plan(control("late", setting=late)))
    report = await run(session, Step.VERIFY)
    assert report.verdict is Verdict.FAIL
    assert report.changed_host
    assert "sshd takes 30 for LoginGraceTime from another file" in report.reason
    await take_back(session)
    assert await box.sh("ls /etc/ssh/sshd_config.d") == "00-first.conf\nlab.conf\n"
    await box.sh("rm /etc/ssh/sshd_config.d/00-first.conf")


def plain(file: str, validate: str | None = None) -> Setting:
    return Setting(file, "A", "b", SettingFormat.KEY_VALUE, validate=validate)


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        ({"sysctl": Sysctl("kernel.no_such_thing", "1")}, "this kernel has no"),
        ({"mask": Mask("lab-own.service")}, "this host's own"),
        ({"setting": plain("/etc/os-release")}, "over a link"),
        ({"setting": plain("/opt/new.conf")}, "new files in /etc alone"),
        (
            {"setting": plain("/etc/x.conf", "echo no; false")},
            "before any change, `echo no; false` says: no",
        ),
    ],
)
async def test_what_cannot_be_applied_is_said_before_anything_is_touched(
    box: Box, refused: dict[str, Any], reason: str
) -> None:
    own = "/etc/systemd/system/lab-own.service"
    await box.sh(f"printf '[Service]\\nExecStart=/bin/true\\n' >{own}")
    report = await run(box.session(box.plan(control("x", **refused))), Step.PREFLIGHT)
    assert report.verdict is Verdict.FAIL
    assert reason in report.reason
    assert not report.changed_host


async def test_somebody_elses_later_change_is_kept(box: Box) -> None:
    session = box.session(box.plan(ELSEWHERE, GRACE))
    await run(session, Step.VERIFY)
    await box.sh("echo 'colour=blue' >>/srv/app/app.conf")
    report = await patching.roll_back(session)
    assert report.verdict is Verdict.PASS
    report = await patching.verify_roll_back(session)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "/srv/app/app.conf was changed by the patch and by somebody else" in report.reason
    assert await box.sh("sshd -T | grep logingracetime") == "logingracetime 120\n"
    await box.sh("printf '# ours\\ndebug=yes' >/srv/app/app.conf")
