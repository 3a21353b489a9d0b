"""Which file systems can be snapshot, and the commands that take and restore each kind.

What hosts answer is recorded; the commands that are called are the test's own. The real ones are
tried in ``tests/lab``.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from suture.hosts.results import parse_results
from suture.hosts.shell import program, quote
from suture.hosts.snapshots import Volume, VolumeKind, Volumes, parse_volumes, snapshot_table

ONE = """\
mount\t/\t/\t{source}\t{type}\t{inner}
mount\t/etc\t/\t{source}\t{type}\t{inner}
mount\t/usr\t/\t{source}\t{type}\t{inner}
mount\t/var\t/\t{source}\t{type}\t{inner}
mount\t/var/lib/dpkg\t/\t{source}\t{type}\t{inner}
tool\tbtrfs
end
"""
THIN = """\
lv\t/dev/mapper/vg-root\tvg\troot\tthin\tpool\t41.20\t
lv\t/dev/mapper/vg-pool\tvg\tpool\tthin-pool\t\t{data}\t12.31
lv\t/dev/mapper/vg-swap\tvg\tswap\tlinear\t\t\t
"""


RECORDED = Path(__file__).parents[2] / "recorded" / "volumes"


@pytest.mark.parametrize(
    ("name", "volume", "own_boot"),
    [
        ("lvm-thin", Volume(VolumeKind.LVM, "/", "vg/root"), True),
        ("btrfs", Volume(VolumeKind.BTRFS, "/", "/dev/vda[/@]", "/@"), False),
        ("snapper", Volume(VolumeKind.SNAPPER, "/", "/dev/vda[/@]", "root"), False),
        ("zfs", Volume(VolumeKind.ZFS, "/", "rpool/ROOT/debian"), False),
    ],
)
def test_what_hosts_answered(name: str, volume: Volume, own_boot: bool) -> None:
    volumes = parse_volumes(parse_results((RECORDED / f"{name}.txt").read_text()))
    assert volumes == Volumes((volume,), (), own_boot)


def found(source: str, type_: str, inner: str, more: str = "") -> Volumes:
    text = ONE.format(source=source, type=type_, inner=inner).replace("end\n", more + "end\n")
    return parse_volumes(parse_results(text))


def test_a_subvolume_of_btrfs() -> None:
    volumes = found("/dev/vda3[/@rootfs]", "btrfs", "/@rootfs")
    assert volumes.found == (Volume(VolumeKind.BTRFS, "/", "/dev/vda3[/@rootfs]", "/@rootfs"),)
    assert (volumes.lacking, volumes.own_boot) == ((), False)


def test_a_subvolume_that_is_mounted_by_its_number_is_not_exchanged() -> None:
    volumes = found("/dev/vda3[/@]", "btrfs", "/@", "numbered\t/\n")
    assert volumes.lacking == (
        "/ is mounted by the number of its subvolume (subvolid=), not by its name",
    )
    assert found("/dev/vda3", "btrfs", "/@", "numbered\t/\nsnapper\troot\t/\n").found


def test_snapper_is_used_where_it_knows_the_file_system() -> None:
    volumes = found("/dev/vda3", "btrfs", "/", "snapper\troot\t/\n")
    assert volumes.found == (Volume(VolumeKind.SNAPPER, "/", "/dev/vda3", "root"),)


def test_a_thin_volume_whose_pool_has_room() -> None:
    volumes = found("/dev/mapper/vg-root", "ext4", "/", THIN.format(data="63.01"))
    assert volumes.found == (Volume(VolumeKind.LVM, "/", "vg/root"),)


def test_a_dataset_of_zfs_and_a_boot_partition() -> None:
    volumes = found("rpool/ROOT/debian", "zfs", "/", "mount\t/boot\t/boot\t/dev/vda2\text4\t/\n")
    assert volumes.found == (Volume(VolumeKind.ZFS, "/", "rpool/ROOT/debian"),)
    assert volumes.own_boot


@pytest.mark.parametrize(
    ("source", "type_", "inner", "more", "why"),
    [
        ("/dev/vda1", "ext4", "/", "", "/ is ext4 on /dev/vda1, of which no snapshot can be taken"),
        (
            "/dev/vda1",
            "btrfs",
            "/",
            "",
            "/ is the top level of its Btrfs, which cannot be exchanged",
        ),
        ("/dev/mapper/vg-swap", "ext4", "/", THIN, "/ is ext4 on /dev/mapper/vg-swap"),
        (
            "/dev/mapper/vg-root",
            "xfs",
            "/",
            THIN.format(data="91.5"),
            "the thin pool of / is 91.5 % full, 80 % may be",
        ),
        ("/dev/vda3[/$(id)]", "btrfs", "/$(id)", "", "/ has an unusual name"),
    ],
)
def test_what_cannot_be_snapshot_says_why(
    source: str, type_: str, inner: str, more: str, why: str
) -> None:
    volumes = found(source, type_, inner, more)
    assert not volumes.found
    assert volumes.lacking[0].startswith(why)


def test_of_what_is_not_told_nothing_is_assumed() -> None:
    volumes = parse_volumes(parse_results("mount\t/\t/\trpool/x\tzfs\t/\nend\n"))
    assert "what holds /usr is not known" in volumes.lacking


def test_a_part_of_the_system_that_lies_elsewhere_counts() -> None:
    text = ONE.format(source="rpool/x", type="zfs", inner="/").replace(
        "mount\t/var\t/\trpool/x\tzfs", "mount\t/var\t/var\t/dev/vdb1\text4"
    )
    volumes = parse_volumes(parse_results(text))
    assert [one.mount for one in volumes.found] == ["/"]
    assert volumes.lacking[0].startswith("/var is ext4")


LVM = Volume(VolumeKind.LVM, "/", "vg/root")
ZFS = Volume(VolumeKind.ZFS, "/", "rpool/ROOT/debian")
SNAPPER = Volume(VolumeKind.SNAPPER, "/", "/dev/vda3", "root")
NAME = "suture-ab12-0"

_FAKES = {
    "lvs": f"grep -qs {NAME} $state || exit 5; sed 's/{NAME}//' $state",
    "lvcreate": f"echo {NAME} >$state",
    "lvconvert": f"! grep -q merging $state || exit 5; echo '{NAME} merging' >$state",
    "lvremove": "rm $state",
    "zfs": f"case $1 in list) grep -qs {NAME} $state ;; snapshot) echo {NAME} >$state ;; esac",
    "snapper": (
        f'case "$*" in *list*) echo number,description; [ ! -e $state ] || echo 7,{NAME} ;; '
        "*create*) : >$state ;; *status*) printf 'c..... /etc/x\\n+..... /var/lib/suture/tx\\n' ;; "
        '*undochange*) cat "$5" >>$said ;; esac'
    ),
}


def commands(directory: Path, volume: Volume, script: str) -> list[str]:
    """What was called, by commands of the test's making."""
    for tool, body in _FAKES.items():
        fake = directory / tool
        head = (
            f'#!/bin/sh\nstate={directory}/state said={directory}/said\necho {tool} "$@" >>$said\n'
        )
        fake.write_text(f"{head}{body}\n")
        fake.chmod(0o755)
    root = quote(str(directory))
    table = quote(snapshot_table(Volumes((volume,), ()), "ab12"))
    head = program("common", "snapshots")
    head += f"PATH={root}:$PATH\nroot={root}\nTX_DIR={root}\ntarget={root}\n"
    head += f"VOLUMES={table}\nexec 3>&2\n"
    done = subprocess.run(["sh", "-c", head + script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = directory / "said"
    return said.read_text().splitlines() if said.exists() else []


@pytest.mark.parametrize(
    ("volume", "called"),
    [
        (LVM, f"lvcreate --snapshot --setactivationskip y --name {NAME} vg/root"),
        (ZFS, f"zfs snapshot rpool/ROOT/debian@{NAME}"),
        (SNAPPER, f"snapper -c root create --type single --description {NAME} --print-number"),
    ],
)
def test_each_kind_is_taken_once(tmp_path: Path, volume: Volume, called: str) -> None:
    said = commands(tmp_path, volume, "take_snapshots; take_snapshots\n")
    assert said.count(called) == 1
    assert (tmp_path / "snapshots").read_text().startswith(volume.kind.value)


@pytest.mark.parametrize(
    ("volume", "called"),
    [
        (
            LVM,
            [
                f"lvs --noheadings -o lv_merging vg/{NAME}",
                f"lvconvert --yes --merge vg/{NAME}",
            ],
        ),
        (
            SNAPPER,
            [
                "snapper -c root status 7..0",
                "snapper -c root undochange --input {}/undo 7..0",
                "c..... /etc/x",
            ],
        ),
    ],
)
def test_each_kind_is_restored_with_the_next_boot(
    tmp_path: Path, volume: Volume, called: list[str]
) -> None:
    said = commands(tmp_path, volume, 'take_snapshots; each_line restore "$target/snapshots"\n')
    expected = [line.format(tmp_path) for line in called]
    assert said[-len(expected) :] == expected


def test_a_merging_that_waits_for_the_boot_is_not_asked_for_again(tmp_path: Path) -> None:
    restore = 'each_line restore "$target/snapshots"'
    said = commands(tmp_path, LVM, f"take_snapshots; {restore}; {restore}\n")
    assert said.count(f"lvconvert --yes --merge vg/{NAME}") == 1


def test_zfs_is_rolled_back_last_of_all(tmp_path: Path) -> None:
    commands(tmp_path, ZFS, 'take_snapshots; each_line restore "$target/snapshots"\n')
    assert (tmp_path / "at-last").read_text() == f"zfs rollback -r rpool/ROOT/debian@{NAME}; "
