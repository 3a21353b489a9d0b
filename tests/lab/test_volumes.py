"""Machines whose system lies on a thin volume or a Btrfs go back to their snapshots by a real boot.

In software a boot takes one to two minutes, so these are asked for: ``make test-volumes``.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from lab import requirements, roots
from suture.core.backups import Retention
from suture.core.data_backups import DataBackup, SnapshotRule
from suture.core.evidence import Step, Verdict
from suture.core.rollout.ways_back import WayBack
from suture.hosts.bundles import list_bundles, prune_bundles
from suture.hosts.patching import PatchSession
from suture.hosts.rollback import preview
from suture.hosts.transport import Transport
from tests.lab import probe
from tests.lab.box import ALIVE, SETTINGS, run, take_back
from tests.lab.probe import sh
from tests.lab.volumes import Btrfs, Machine, Thin, machine

pytestmark = [
    pytest.mark.lab,
    pytest.mark.xdist_group("volumes"),
    pytest.mark.timeout(3000),
    pytest.mark.skipif(
        not os.environ.get("SUTURE_TEST_VOLUMES"),
        reason="takes twelve minutes of a core: run `make test-volumes`",
    ),
]


@pytest.fixture(scope="module")
def lab_root() -> Path:
    tools = {"qemu-system-x86_64": "qemu-system-x86", "mkfs.btrfs": "btrfs-progs"}
    absent = (f"Debian's {package}" for tool, package in tools.items() if not shutil.which(tool))
    if missing := (*requirements.missing(), *absent):
        pytest.skip("a machine on volumes needs " + "; ".join(missing))
    return roots.root("volumes")


@pytest.fixture
def thin(lab_root: Path, tmp_path: Path) -> Iterator[Machine]:
    with machine(lab_root, Thin(), tmp_path) as booted:
        yield booted


@pytest.fixture
def btrfs(lab_root: Path, tmp_path: Path) -> Iterator[Machine]:
    with machine(lab_root, Btrfs(), tmp_path) as booted:
        yield booted


async def test_a_thin_volume_is_merged_by_the_boot(thin: Machine) -> None:
    await _install(thin)
    await _there_and_back(thin, "lvm")
    async with thin.connect() as way:
        await sh(way, "for _ in $(seq 120); do lvs -a vg | grep -q suture- || break; sleep 1; done")
        listed = await sh(way, "lvs --noheadings -o lv_name,segtype,skip_activation vg")
    assert sorted(line.split() for line in listed.splitlines()) == [
        ["pool", "thin-pool"],
        ["root", "thin"],
    ]


async def test_a_subvolume_is_exchanged_for_the_boot_and_snapper_undoes_before_it(
    btrfs: Machine,
) -> None:
    await _install(btrfs)
    bundle = await _there_and_back(btrfs, "btrfs")
    async with btrfs.connect() as way:
        kept = await sh(way, "btrfs subvolume list / | sed 's/.* path //' | sort")
        name = f"@.suture-{bundle}-0"
        assert kept.split() == ["@", name, f"{name}.replaced"]
        assert await prune_bundles(way, Retention(keep_s=0, keep_last=0), ()) == (bundle,)
        assert await sh(way, "btrfs subvolume list / | sed 's/.* path //'") == "@\n"
        await sh(way, "snapper -c root create-config /")
    await _there_and_back(btrfs, "snapper")


async def _install(machine: Machine) -> None:
    await machine.wait_booted()
    async with machine.connect() as way:
        await probe.publish(way, "1.0")
        await probe.install(way, "1.0")
        await probe.publish(way, "2.0")


async def _there_and_back(machine: Machine, kind: str) -> str:
    """The package is patched, more is broken, the boot brings all of it back; the bundle's id."""
    async with machine.connect() as way:
        plan = probe.host_plan(
            machine.clone.host, await probe.change(way, "1.0", "2.0"), checks=(ALIVE,)
        )
    plan = msgspec.structs.replace(plan, backup=DataBackup(snapshots=SnapshotRule.REQUIRED))
    session = PatchSession(
        plan=plan,
        plan_id=uuid.uuid4().hex,
        connect=machine.connect,
        now=lambda: datetime.now(UTC),
        settings=msgspec.structs.replace(SETTINGS, reconnect_s=300, health_wait_s=60),
    )
    async with session:
        report = await run(session, Step.VERIFY)
        assert report.verdict is Verdict.PASS, report
        async with machine.connect() as way:
            before = await _boot_id(way)
            await sh(way, "echo since >/srv/since; rm -rf /usr/share/perl; sync")
        session.way_back = WayBack(snapshot=True, accept_data_loss=True)
        assert (await preview(session)).refusals == ()
        report = await take_back(session)
        assert report.verdict is Verdict.PASS, report
    async with machine.connect() as way:
        assert await _boot_id(way) != before
        assert "1.0 installed" in await sh(
            way, "dpkg-query -W -f '${Version} ${db:Status-Status}' suture-probe"
        )
        await sh(way, "[ ! -e /srv/since ] && [ -d /usr/share/perl ]")
        (bundle,) = await list_bundles(way, check=True)
        assert (bundle.id, bundle.data, bundle.reads) == (
            session.bundle_id,
            (f"snapshot of / ({kind})",),
            True,
        )
    return bundle.id


async def _boot_id(way: Transport) -> str:
    return await sh(way, "cat /proc/sys/kernel/random/boot_id")
