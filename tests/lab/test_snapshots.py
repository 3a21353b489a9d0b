"""Snapshots of real file systems in files of this machine: Btrfs, Snapper on it, ZFS by zfs-fuse.

What a boot makes of them is in ``test_volumes``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
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


class Place:
    """``snapshots.sh`` with the bundle's directory below one of the test's."""

    table = ""
    entrance: tuple[str, ...] = ()
    prelude = ""

    def __init__(self, directory: Path) -> None:
        self.directory, self.mount = directory, directory / "mount"
        self.image = directory / "image"
        for one in (self.mount, directory / "tx"):
            one.mkdir()
        self.image.touch()
        os.truncate(self.image, 256 << 20)

    def sh(self, script: str) -> str:
        """What it said on descriptor 3."""
        head = program("common", "snapshots") + f"root={quote(str(self.directory))}\n"
        head += f"TX_DIR=$root/tx\ntarget=$root/tx\nVOLUMES={quote(self.table)}\nexec 3>&1 >&2\n"
        command = (*self.entrance, "sh", "-c", head + self.prelude + script)
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def call(self, *words: str) -> str:
        command = (*self.entrance, *words)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Disk(Place):
    """A Btrfs whose subvolume ``@`` is mounted as ``/`` of a host would be."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.call("mkfs.btrfs", "-q", str(self.image))
        self.device = self.call("losetup", "--find", "--show", str(self.image)).strip()
        self.call("mount", self.device, str(self.mount))
        self.call("btrfs", "subvolume", "create", str(self.mount / "@"))
        self.reboot()
        self.table = f"btrfs\t{self.mount}\t{self.device}[/@]\t/@\t{NAME}"

    def reboot(self) -> None:
        self.call("umount", str(self.mount))
        self.call("mount", "-o", "subvol=@", self.device, str(self.mount))

    def subvolumes(self) -> list[str]:
        listed = self.call("btrfs", "subvolume", "list", str(self.mount))
        return sorted(line.rpartition(" ")[2] for line in listed.splitlines())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0 or not shutil.which("mkfs.btrfs"):
        pytest.skip("needs root and btrfs-progs")
    if "btrfs" not in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has no Btrfs")
    disk = Disk(tmp_path)
    yield disk
    disk.entrance = ()
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
    assert not list(Path("/run").glob("suture-top.*"))


def test_subvolumes_that_lie_within_move_along_with_their_data(disk: Disk) -> None:
    inner = disk.mount / "var" / "machines"
    inner.parent.mkdir()
    disk.call("btrfs", "subvolume", "create", str(inner))
    disk.sh("take_snapshots")
    (inner / "file").write_text("since")
    disk.sh('each_line restore "$target/snapshots"')
    disk.reboot()
    assert (inner / "file").read_text() == "since"
    disk.sh('drop_snapshots "$target"')
    assert disk.subvolumes() == ["@", "var/machines"]


def test_what_cannot_be_removed_stays_listed(disk: Disk) -> None:
    disk.sh("take_snapshots")
    later = disk.mount / "later"
    disk.call("btrfs", "subvolume", "create", str(later))
    disk.sh('each_line restore "$target/snapshots"')
    disk.sh('! drop_snapshots "$target" && [ -f "$target/snapshots" ]')
    disk.call("btrfs", "subvolume", "delete", str(later))
    disk.reboot()
    disk.sh('drop_snapshots "$target" && [ ! -f "$target/snapshots" ]')
    assert disk.subvolumes() == ["@"]


def test_a_root_that_is_mounted_by_a_number_is_told(disk: Disk) -> None:
    line = disk.directory / "cmdline"
    own = f'mount --bind {line} /proc/cmdline && exec "$@"'
    disk.entrance = ("unshare", "--mount", "sh", "-c", own, "sh")
    find = ("sh", "-c", program("common", "query", "find-volumes"))
    line.write_text("root=/dev/vda rootflags=compress=zstd,subvolid=258 ro\n")
    assert "numbered\t/\n" in disk.call(*find)
    line.write_text("root=/dev/vda rootflags=subvol=@ ro\n")
    assert "numbered\t/\n" not in disk.call(*find)


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
    assert [one.name for one in (disk.directory / "tx").iterdir()] == ["snapshots"]


@pytest.fixture
def snapper(disk: Disk) -> Disk:
    """The disk as Snapper's configuration ``root``, of which this machine learns nothing."""
    if not shutil.which("snapper"):
        pytest.skip("needs Debian's snapper")
    (disk.directory / "configs").mkdir()
    (disk.directory / "default").write_text('SNAPPER_CONFIGS=""\n')
    own = (
        f"mount --bind {disk.directory}/configs /etc/snapper/configs && "
        f'mount --bind {disk.directory}/default /etc/default/snapper && exec "$@"'
    )
    disk.entrance = ("unshare", "--mount", "sh", "-c", own, "sh")
    disk.prelude = 'snapper() { command snapper --no-dbus "$@"; }\n'
    disk.table = f"snapper\t{disk.mount}\t{disk.device}[/@]\troot\t{NAME}"
    disk.call("snapper", "--no-dbus", "-c", "root", "create-config", str(disk.mount))
    return disk


def test_snapper_puts_back_what_was_written_since(snapper: Disk) -> None:
    (snapper.mount / "file").write_text("old")
    (snapper.mount / "gone").write_text("old")
    assert "check\tsnapshots\tpass" in snapper.sh("take_snapshots")
    assert snapper.sh("take_snapshots; bundle=$target; lost_snapshots >&3").count("not there") == 0
    (snapper.mount / "file").write_text("new")
    (snapper.mount / "gone").unlink()
    (snapper.mount / "a name").symlink_to("nowhere")
    snapper.sh('each_line restore "$target/snapshots"')
    assert sorted(one.name for one in snapper.mount.iterdir()) == [".snapshots", "file", "gone"]
    assert (snapper.mount / "file").read_text() == "old"
    assert [one.name for one in (snapper.mount / ".snapshots").iterdir()] == ["1"]
    snapper.sh('drop_snapshots "$target"')
    assert not list((snapper.mount / ".snapshots").iterdir())
    assert snapper.sh(f"snapper_number root {NAME} >&3") == ""


def test_what_snapper_could_not_put_back_is_a_failure(snapper: Disk) -> None:
    (snapper.mount / "file").write_text("old")
    snapper.sh("take_snapshots")
    (snapper.mount / "file").write_text("new")
    snapper.call("chattr", "+i", str(snapper.mount / "file"))
    snapper.sh('! each_line restore "$target/snapshots"')
    snapper.call("chattr", "-i", str(snapper.mount / "file"))
    snapper.sh('each_line restore "$target/snapshots"')
    assert (snapper.mount / "file").read_text() == "old"


def test_a_snapshot_that_snapper_cannot_compare_is_a_failure(snapper: Disk) -> None:
    snapper.sh("take_snapshots")
    snapper.sh('each_line drop "$target/snapshots"; ! each_line restore "$target/snapshots"')


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Place]:
    """A pool in mounts of its own, ``mount`` being a dataset of it."""
    if os.geteuid() != 0 or not shutil.which("zfs-fuse") or not Path("/dev/fuse").exists():
        pytest.skip("needs root, Debian's zfs-fuse and /dev/fuse")
    place = Place(tmp_path)
    sockets = Path("/run/zfs")
    sockets.mkdir(exist_ok=True)
    own = "mount -t tmpfs tmpfs /run/zfs && exec zfs-fuse --no-daemon --no-kstat-mount"
    daemon = subprocess.Popen(("unshare", "--mount", "sh", "-c", own), stderr=subprocess.DEVNULL)
    place.entrance = ("nsenter", f"--mount=/proc/{daemon.pid}/ns/mnt")
    place.table = f"zfs\t{place.mount}\tsuture-lab/root\t-\t{NAME}"
    try:
        deadline = time.monotonic() + 30
        while subprocess.run((*place.entrance, "zpool", "list"), capture_output=True).returncode:
            assert time.monotonic() < deadline, "zfs-fuse does not answer"
            time.sleep(0.2)
        pool = ("zpool", "create", "-o", "cachefile=none", "-m", "none", "suture-lab")
        place.call(*pool, str(place.image))
        place.call("zfs", "create", "-o", f"mountpoint={place.mount}", "suture-lab/root")
        yield place
        place.call("zpool", "destroy", "suture-lab")
    finally:
        daemon.kill()
        daemon.wait()


def test_a_dataset_of_zfs_is_rolled_back_while_it_is_mounted(pool: Place) -> None:
    file = str(pool.mount / "file")
    pool.sh(f"echo old >{file}; take_snapshots; take_snapshots")
    assert pool.sh("bundle=$target; lost_snapshots >&3") == ""
    pool.sh(f"echo new >{file}")
    pool.call("zfs", "snapshot", "suture-lab/root@later")
    pool.sh(': >"$TX_DIR/at-last"; each_line restore "$target/snapshots"')
    assert pool.call("cat", file) == "new\n"
    pool.sh(f'exec 6<{file}; cd {pool.mount}; sh -c "$(cat "$TX_DIR/at-last")"')
    assert pool.call("cat", file) == "old\n"
    pool.sh('drop_snapshots "$target"')
    assert pool.call("zfs", "list", "-H", "-t", "snapshot") == ""
    pool.sh("! there_zfs zfs - suture-lab/root - " + NAME)


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
