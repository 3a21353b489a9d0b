"""Twins of real hosts, and rehearsals on them."""

from __future__ import annotations

import asyncio
import io
import secrets
import sys
import tarfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from lab import packages
from lab.fleet import Lab, LabHost
from lab.repository import ORIGIN_PATTERN
from suture.core.controls import Control, Mask, Module, Setting, SettingFormat, Sysctl
from suture.core.documents import digest, encode
from suture.core.evidence import Step, Verdict
from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.core.intelligence.advisory_index import AdvisoryIndex
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.plan import Plan, RebootRule
from suture.core.planning.planner import make_plan
from suture.core.policy import Policy, TwinPolicy
from suture.core.selection.ledger import SelectionRules
from suture.core.selection.selector import select
from suture.hosts.facts import collect
from suture.hosts.patching import PatchSession, acquire
from suture.hosts.transport import HostError, Result, Transport
from suture.twin.clone import Clone, CloneError, stream_root
from suture.twin.containers import ContainerError
from suture.twin.load import LoadSettings
from suture.twin.machine import Twin, Twins, TwinSettings
from suture.twin.package_files import fetch_packages
from suture.twin.processes import Process, find
from suture.twin.regression import Regression, changed_earlier
from suture.twin.rehearsal import Rehearsal, Rehearser

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("twin")]

_SECRET = "/root/.ssh/id_of_the_host"
_ALL_BUT_FEW = ("*nginx*", "lib*", "perl*", "python*", packages.GREETER)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Stage:
    """A host and everything to rehearse it with."""

    server: LabHost
    twins: Twins
    directory: Path

    async def plan(self, *, without: tuple[str, ...] = ()) -> Plan:
        rules = SelectionRules(
            trusted_origins=(ORIGIN_PATTERN,), exclude=without, allow_new_packages=True
        )
        policy = Policy(select=rules, propose_checks=False)
        host = msgspec.structs.replace(self.server.host, checks=self.checks)
        async with self.server.connect() as transport:
            inventory = await collect(transport, host, now=_now, nonce=secrets.token_hex(16))
        selection = select(
            inventory,
            rules=rules,
            findings=(),
            held_back=(),
            published={},
            today=_now().date(),
        )
        return make_plan(
            hosts=[host],
            inventories={host.name: inventory},
            selections={host.name: selection},
            findings=(),
            policy=policy,
            now=_now(),
        )

    @property
    def checks(self) -> tuple[HealthCheck, ...]:
        http = HealthCheckKind.HTTP
        return (
            HealthCheck(http, self.server.web),
            HealthCheck(http, f"http://{self.server.address}:8080/", body="Hello"),
            HealthCheck(HealthCheckKind.UNIT, "ssh.service"),
        )

    async def clone(self, plan: Plan) -> Clone:
        (one,) = plan.hosts
        async with self.server.connect() as transport:
            return await self.twins.clone(
                transport,  # type: ignore[arg-type]
                one.package_set,
                TwinPolicy().exclude,
            )

    async def rehearse(
        self,
        plan: Plan,
        load: LoadSettings | None = None,
        regression: Regression | None = None,
    ) -> Rehearsal:
        (one,) = plan.hosts
        session = PatchSession(plan=one, plan_id=plan.id, connect=self.server.connect, now=_now)
        report = await acquire(session)
        await session.close()
        assert report.verdict is Verdict.PASS, report
        async with self.server.connect() as transport:
            await fetch_packages(transport, one.changes, self.directory / "packages")
        clone = await self.clone(plan)
        rehearser = Rehearser(
            self.twins, clone, self.directory / "packages", load=load, regression=regression
        )
        return await rehearser.rehearse(plan.id, one)


@pytest.fixture(scope="module")
def stage(server: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    server.run(f"install -m 600 /dev/null {_SECRET}; echo mine >/srv/data; echo x >/var/log/old")
    server.run(
        "printf '# Suture control earlier\nkernel.yama.ptrace_scope = 2\n' "
        ">/etc/sysctl.d/zz-suture-earlier.conf"
    )
    directory = tmp_path_factory.mktemp("twins")
    return Stage(server, Twins(directory), directory)


async def _sh(transport: Transport, script: str) -> str:
    result = await transport.run(script, timeout_s=60)
    return result.stdout.decode() + result.stderr.decode()


async def test_a_twin_runs_what_the_host_runs_and_reaches_nothing(stage: Stage) -> None:
    plan = await stage.plan()
    clone = await stage.clone(plan)
    async with stage.twins.boot(clone) as twin, twin.connect() as way:
        assert (
            await _sh(
                way, f"curl -sSf --retry 30 --retry-delay 1 --retry-connrefused {stage.server.web}"
            )
        ).strip() == "server"
        assert "Hello" in await _sh(
            way,
            f"curl -sSf --retry 30 --retry-delay 1 --retry-connrefused http://{stage.server.address}:8080/",
        )
        assert await _sh(way, "systemctl is-active ssh") == "active\n"
        assert await _sh(way, "ip -br link | grep -v '^lo '") == ""
        lab_archive = stage.server.run("cut -d' ' -f3 /etc/apt/sources.list.d/suture-lab.list")
        refused = await _sh(way, f"curl -sS -m 5 {lab_archive}")
        assert "Could not connect" in refused or "Failed to connect" in refused
        assert "not permitted" in await _sh(way, "mknod /root/disk b 254 0")
        assert "0          0      65536" in await _sh(way, "cat /proc/self/uid_map")


async def test_a_twin_reboots_whoever_was_stopped_while_looking_into_it(stage: Stage) -> None:
    clone = await stage.clone(await stage.plan())
    async with stage.twins.boot(clone) as twin, twin.connect() as way:
        before = await _boot_id(twin)
        looking = asyncio.create_task(way.run("kill -STOP $$", timeout_s=90))
        await _sh(way, "systemctl --no-block reboot")
        for _ in range(120):
            after = await _boot_id(twin)
            if after not in ("", before):
                break
            await asyncio.sleep(0.5)
        assert after not in ("", before)
        with suppress(HostError):  # the shutdown may have killed it
            await looking


async def _boot_id(twin: Twin) -> str:
    """Empty while the twin is down."""
    try:
        async with twin.connect() as way:
            return await _sh(way, "cat /proc/sys/kernel/random/boot_id")
    except HostError:
        return ""


async def test_secrets_and_data_stay_at_home(stage: Stage) -> None:
    plan = await stage.plan()
    clone = await stage.clone(plan)
    root = Path(clone.root)
    for path in (_SECRET, "/srv/data", "/var/log/old"):
        assert not (root / path.lstrip("/")).exists()
    assert not list((root / "etc/ssh").glob("ssh_host_*"))
    assert not (root / "root/.ssh/authorized_keys").exists()
    assert (root / "var/log/nginx").is_dir()
    assert (root / "root/.ssh").stat().st_mode & 0o777 == 0o700


async def test_a_second_rehearsal_needs_no_second_clone(stage: Stage) -> None:
    plan = await stage.plan()
    first = await stage.clone(plan)
    async with stage.twins.boot(first) as twin, twin.connect() as way:
        await _sh(way, "rm -rf /etc/nginx; reboot")
    assert await stage.clone(plan) == first
    async with stage.twins.boot(first) as twin, twin.connect() as way:
        assert (
            await _sh(
                way, f"curl -sSf --retry 30 --retry-delay 1 --retry-connrefused {stage.server.web}"
            )
        ).strip() == "server"


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


async def test_a_twin_that_does_not_boot_is_said_with_its_console(
    stage: Stage, tmp_path: Path
) -> None:
    plan = await stage.plan(without=(packages.GREETER,))
    clone = await stage.clone(plan)
    twins = Twins(tmp_path, TwinSettings(boot_s=20))
    broken = tmp_path / "broken"
    broken.mkdir()
    await _copy(Path(clone.root), broken)
    init = broken / "usr/lib/systemd/systemd"
    init.unlink()
    init.write_text("#!/bin/sh\necho cannot find my disk\nexit 1\n")
    init.chmod(0o755)
    clone = msgspec.structs.replace(clone, root=str(broken))
    with pytest.raises(ContainerError, match="powered off") as failed:
        async with twins.boot(clone):
            pass
    assert "cannot find my disk" in failed.value.console
    rehearsal = await Rehearser(twins, clone, tmp_path).rehearse(plan.id, plan.hosts[0])
    assert rehearsal.verdict is Verdict.INCONCLUSIVE
    assert "does not boot" in rehearsal.reason


def _wait_until_gone(init: Process, machines: Path) -> None:
    deadline = time.monotonic() + 60
    while init.is_alive or any(machines.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def _copy(source: Path, target: Path) -> None:
    process = await asyncio.create_subprocess_exec("cp", "-a", f"{source}/.", target)
    assert await process.wait() == 0


class Hostile:
    """A host that sends an archive of a test's making."""

    name = "hostile"

    def __init__(self, *members: tuple[tarfile.TarInfo, bytes]) -> None:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for info, content in members:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        self._archive = archive.getvalue()

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result:
        return Result(0, b"1000\n", b"")

    async def stream(
        self, script: str, *, accept: tuple[int, ...] = (0,), idle_s: float = 120.0
    ) -> AsyncIterator[bytes]:
        yield self._archive


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.fixture
def target(lab: Lab, tmp_path: Path) -> Path:
    target = tmp_path / "clone" / "root"
    target.mkdir(parents=True)
    return target


async def test_a_hostile_archive_writes_nothing_outside(target: Path) -> None:
    outside = target.parent.parent / "outside"
    outside.mkdir()
    climbing = "../" * 12 + str(outside).lstrip("/")
    host = Hostile(
        (_member("link", tarfile.SYMTYPE, str(outside)), b""),
        (_member("link/by-link"), b"x"),
        (_member("up", tarfile.SYMTYPE, climbing), b""),
        (_member("up/by-climbing"), b"x"),
        (_member(f"{climbing}/by-name"), b"x"),
        (_member(f"{outside}/absolute"), b"x"),
    )
    with pytest.raises(CloneError):
        await stream_root(host, target, ())
    assert list(outside.iterdir()) == []


async def test_device_nodes_are_refused(target: Path) -> None:
    disk = _member("disk", tarfile.BLKTYPE)
    disk.devmajor, disk.devminor = 254, 0
    with pytest.raises(CloneError, match="mknod"):
        await stream_root(Hostile((disk, b"")), target, ())
    assert not (target / "disk").exists()


async def test_what_is_no_system_is_refused(target: Path) -> None:
    with pytest.raises(CloneError, match="cannot be rehearsed on"):
        await stream_root(Hostile((_member("etc/motd"), b"hello")), target, ())


async def test_a_link_that_leads_out_is_no_system(target: Path) -> None:
    host = Hostile(
        (_member("usr", tarfile.SYMTYPE, "/usr"), b""),
        (_member("var", tarfile.SYMTYPE, "/var"), b""),
        (_member("etc/os-release", tarfile.SYMTYPE, "../usr/lib/os-release"), b""),
    )
    with pytest.raises(CloneError, match="dpkg's records"):
        await stream_root(host, target, ())


async def test_a_clone_that_grows_too_large_is_cut_off(target: Path) -> None:
    host = Hostile((_member("etc/big"), b"x" * 4_000_000))
    with pytest.raises(CloneError, match="larger than"):
        await stream_root(host, target, (), max_bytes=2_000_000)


async def test_a_killed_controller_leaves_no_twin(stage: Stage) -> None:
    clone = await stage.clone(await stage.plan())
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from suture.core.documents import decode\n"
        "from suture.twin.machine import Clone, Twins\n"
        "async def main():\n"
        "    async with Twins(Path(sys.argv[1])).boot(decode(sys.argv[2], Clone)) as twin:\n"
        "        print(twin._container.leader.pid, flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    controller = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, str(stage.directory), encode(clone).decode()),
        stdout=asyncio.subprocess.PIPE,
    )
    assert controller.stdout
    init = find(int(await controller.stdout.readline()))
    assert init is not None
    controller.kill()
    await controller.wait()
    await asyncio.to_thread(_wait_until_gone, init, stage.directory / "machines")
    assert Path(clone.root).is_dir()
