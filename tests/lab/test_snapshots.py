"""Btrfs snapshots on a real file system in a loop device of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from suture.core.data_backups import DataBackup, SnapshotRule
from suture.core.evidence import Step, Verdict
from suture.core.rollout.ways_back import Refusal, WayBack
from suture.hosts.bundles import list_bundles
from suture.hosts.rollback import preview
from suture.hosts.shell import program, quote
from tests.lab import probe
from tests.lab.box import Box, box, run, take_back

__all__ = ["box"]

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("snapshots")]

NAME = "suture-ab12-0"


class Disk:
    """A Btrfs whose subvolume ``@`` is mounted as ``/`` of a host would be."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.mount = directory, directory / "mount"
        self.image = directory / "image"
        self.mount.mkdir()
        (directory / "tx").mkdir()
        self.image.write_bytes(b"")
        os.truncate(self.image, 256 << 20)
        self.call("mkfs.btrfs", "-q", str(self.image))
        self.device = self.call("losetup", "--find", "--show", str(self.image)).strip()
        self.call("mount", self.device, str(self.mount))
        self.call("btrfs", "subvolume", "create", str(self.mount / "@"))
        self.reboot()

    def reboot(self) -> None:
        self.call("umount", str(self.mount))
        self.call("mount", "-o", "subvol=@", self.device, str(self.mount))

    def sh(self, script: str) -> str:
        """``snapshots.sh`` with the bundle's directory below the disk's."""
        head = program("common", "snapshots") + f"root={quote(str(self.directory))}\n"
        head += f"TX_DIR=$root/tx\ntarget=$root/tx\nVOLUMES={quote(self.table)}\nexec 3>&1 >&2\n"
        done = subprocess.run(["sh", "-c", head + script], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def table(self) -> str:
        return f"btrfs\t{self.mount}\t{self.device}[/@]\t/@\t{NAME}"

    def subvolumes(self) -> list[str]:
        listed = self.call("btrfs", "subvolume", "list", str(self.mount))
        return sorted(line.rpartition(" ")[2] for line in listed.splitlines())

    @staticmethod
    def call(*words: str) -> str:
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0 or not shutil.which("mkfs.btrfs"):
        pytest.skip("needs root and btrfs-progs")
    if "btrfs" not in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has no Btrfs")
    disk = Disk(tmp_path)
    yield disk
    disk.call("umount", str(disk.mount))
    disk.call("losetup", "--detach", disk.device)


def test_a_subvolume_goes_back_by_a_boot_and_what_it_replaced_lies_beside(disk: Disk) -> None:
    (disk.mount / "file").write_text("old")
    assert "check\tsnapshots\tpass" in disk.sh("take_snapshots")
    assert (disk.directory / "tx" / "snapshot-taken").exists()
    (disk.mount / "file").write_text("new")
    (disk.mount / "more").write_text("more")
    for _ in range(2):  # a second try finds it done
        disk.sh('each_line restore "$target/snapshots"')
    assert (disk.mount / "file").read_text() == "new"
    disk.reboot()
    assert (disk.mount / "file").read_text() == "old"
    assert not (disk.mount / "more").exists()
    assert disk.subvolumes() == ["@", f"@.{NAME}", f"@.{NAME}.replaced"]
    disk.sh('drop_snapshots "$target"')
    assert disk.subvolumes() == ["@"]
    assert not list(disk.directory.glob("top.*"))


def test_the_default_subvolume_moves_along(disk: Disk) -> None:
    number = disk.call("btrfs", "inspect-internal", "rootid", str(disk.mount)).strip()
    disk.call("btrfs", "subvolume", "set-default", number, str(disk.mount))
    (disk.mount / "file").write_text("old")
    disk.sh("take_snapshots")
    (disk.mount / "file").write_text("new")
    disk.sh('each_line restore "$target/snapshots"')
    disk.call("umount", str(disk.mount))
    disk.call("mount", disk.device, str(disk.mount))
    assert (disk.mount / "file").read_text() == "old"


def test_a_snapshot_that_is_gone_is_named(disk: Disk) -> None:
    disk.sh("take_snapshots")
    assert disk.sh("bundle=$target; lost_snapshots >&3") == ""
    disk.sh('each_line drop "$target/snapshots"')
    said = disk.sh("bundle=$target; lost_snapshots >&3")
    assert said == f"the snapshot of {disk.mount} is not there any more (btrfs)"


def test_one_that_cannot_be_taken_leaves_no_complete_bundle(disk: Disk) -> None:
    (disk.directory / "tx" / "complete").touch()
    said = disk.sh('VOLUMES="btrfs\t/\t/dev/none[/@]\t/@\tx"\n(take_snapshots) || true')
    assert "a snapshot of / could not be taken (btrfs)" in said
    assert not list((disk.directory / "tx").glob("*"))


@pytest.mark.parametrize("rule", [SnapshotRule.WHERE_POSSIBLE, SnapshotRule.REQUIRED])
async def test_where_none_can_be_taken_the_rule_decides(box: Box, rule: SnapshotRule) -> None:
    await probe.publish(box.transport, "2.0")
    plan = msgspec.structs.replace(await box.plan("2.0"), backup=DataBackup(snapshots=rule))
    report = await run(box.session(plan), Step.BUNDLE)
    assert not report.changed_host
    if rule is SnapshotRule.REQUIRED:
        assert report.verdict is Verdict.FAIL
        assert "no snapshots, which the policy requires: / is overlay on" in report.reason
    else:
        assert report.verdict is Verdict.PASS, report.reason
        assert any(c.name == "snapshots" and "none: /" in c.detail for c in report.checks)


_FINDMNT = """#!/bin/sh
echo "/ /dev/vda3 btrfs /"
"""
_SNAPPER = f"""#!/bin/sh
kept=/srv/snapper
case "$*" in
*list-configs*) printf 'config,subvolume\\nroot,/\\n' ;;
*number,description*) echo number,description; [ ! -e $kept ] || echo "7,$(cat $kept)" ;;
*create*) printf '%s' "$7" >$kept ;;
*status*) printf 'c..... /etc/suture-probe.conf\\n+..... /var/lib/suture/tx\\n' ;;
*undochange*)
    ! grep -q /var/lib/suture "$5" || exit 1
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --allow-downgrades {probe.NAME}=1.0
    ;;
*delete*) rm $kept ;;
esac
"""


async def test_a_host_goes_back_to_its_snapshots_by_a_boot(box: Box) -> None:
    """With a Snapper of the test's making; the boot, and what is proved after it, are real."""
    tools = {"findmnt": _FINDMNT, "snapper": _SNAPPER}
    for name, text in tools.items():
        path = f"/usr/local/sbin/{name}"
        await box.sh(f"printf '%s' {quote(text)} >{path}; chmod 755 {path}")
    try:
        await _there_and_back(box)
    finally:
        async with box.server.connect() as transport:
            await probe.sh(transport, "rm -f /usr/local/sbin/findmnt /usr/local/sbin/snapper")


async def _there_and_back(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    backup = DataBackup(snapshots=SnapshotRule.REQUIRED)
    session = box.session(msgspec.structs.replace(await box.plan("2.0"), backup=backup))
    report = await run(session, Step.VERIFY)
    assert report.verdict is Verdict.PASS, report.reason
    before = await box.sh("cat /proc/sys/kernel/random/boot_id")
    session.way_back = WayBack(snapshot=True)
    assert [one.kind for one in (await preview(session)).refusals] == [Refusal.DATA_LOSS]
    session.way_back = WayBack(snapshot=True, accept_data_loss=True)
    assert (await preview(session)).refusals == ()
    report = await take_back(session)
    assert report.verdict is Verdict.PASS, report.reason
    async with box.server.connect() as transport:
        assert await probe.sh(transport, "cat /proc/sys/kernel/random/boot_id") != before
        found = {one.id: one for one in await list_bundles(transport, check=True)}
        assert found[session.bundle_id].data == ("snapshot of / (snapper)",)
