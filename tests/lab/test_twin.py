"""Twins of real hosts: what they are, and what they reach."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from lab import packages
from suture.core.documents import encode
from suture.core.evidence import Verdict
from suture.hosts.transport import HostError
from suture.twin.containers import ContainerError
from suture.twin.machine import Twin, Twins, TwinSettings
from suture.twin.processes import Process, find
from suture.twin.rehearsal import Rehearser
from tests.lab.stage import SECRET, Stage, sh, stage

__all__ = ["stage"]

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("twin")]


async def test_a_twin_runs_what_the_host_runs_and_reaches_nothing(stage: Stage) -> None:
    plan = await stage.plan()
    clone = await stage.clone(plan)
    async with stage.twins.boot(clone) as twin, twin.connect() as way:
        assert (
            await sh(
                way, f"curl -sSf --retry 30 --retry-delay 1 --retry-connrefused {stage.server.web}"
            )
        ).strip() == "server"
        assert "Hello" in await sh(
            way,
            f"curl -sSf --retry 30 --retry-delay 1 --retry-connrefused http://{stage.server.address}:8080/",
        )
        assert await sh(way, "systemctl is-active ssh") == "active\n"
        assert await sh(way, "ip -br link | grep -v '^lo '") == ""
        lab_archive = stage.server.run("cut -d' ' -f3 /etc/apt/sources.list.d/suture-lab.list")
        refused = await sh(way, f"curl -sS -m 5 {lab_archive}")
        assert "Could not connect" in refused or "Failed to connect" in refused
        assert "not permitted" in await sh(way, "mknod /root/disk b 254 0")
        assert "0          0      65536" in await sh(way, "cat /proc/self/uid_map")


async def test_a_twin_reboots_whoever_was_stopped_while_looking_into_it(stage: Stage) -> None:
    clone = await stage.clone(await stage.plan())
    async with stage.twins.boot(clone) as twin, twin.connect() as way:
        before = await _boot_id(twin)
        looking = asyncio.create_task(way.run("kill -STOP $$", timeout_s=90))
        await sh(way, "systemctl --no-block reboot")
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
            return await sh(way, "cat /proc/sys/kernel/random/boot_id")
    except HostError:
        return ""


async def test_secrets_and_data_stay_at_home(stage: Stage) -> None:
    plan = await stage.plan()
    clone = await stage.clone(plan)
    root = Path(clone.root)
    for path in (SECRET, "/srv/data", "/var/log/old"):
        assert not (root / path.lstrip("/")).exists()
    assert not list((root / "etc/ssh").glob("ssh_host_*"))
    assert not (root / "root/.ssh/authorized_keys").exists()
    assert (root / "var/log/nginx").is_dir()
    assert (root / "root/.ssh").stat().st_mode & 0o777 == 0o700


async def test_a_second_rehearsal_needs_no_second_clone(stage: Stage) -> None:
    plan = await stage.plan()
    first = await stage.clone(plan)
    async with stage.twins.boot(first) as twin, twin.connect() as way:
        await sh(way, "rm -rf /etc/nginx; reboot")
    assert await stage.clone(plan) == first
    async with stage.twins.boot(first) as twin, twin.connect() as way:
        assert (
            await sh(
                way, f"curl -sSf --retry 30 --retry-delay 1 --retry-connrefused {stage.server.web}"
            )
        ).strip() == "server"


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
