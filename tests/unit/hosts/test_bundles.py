"""What a host lists, and which bundles its own shell removes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from suture.core.backups import Kept
from suture.hosts.bundles import parse_bundles
from suture.hosts.results import parse_results
from suture.hosts.shell import program, quote

LISTED = """\
bundle\tab12\t1795420800\t4096\tyes\t-\tr1
data\tab12\t/var/lib/app
package\tab12\tnginx:amd64\t1.22.1-9+deb12u11\t1.22.1-9+deb12u9
package\tab12\tlibnew:amd64\t1.0\t-
bundle\tcd34\t1795420000\t12\tno\t-\t
bundle\tef56\tyesterday\t12\tyes\t-\tr2
end
"""


def test_what_a_host_lists() -> None:
    one, other = parse_bundles(parse_results(LISTED))
    assert (one.id, one.kib, one.complete, one.reads, one.rollout) == (
        "ab12",
        4096,
        True,
        None,
        "r1",
    )
    assert one.packages == (
        Kept("nginx:amd64", "1.22.1-9+deb12u11", "1.22.1-9+deb12u9"),
        Kept("libnew:amd64", "1.0", None),
    )
    assert one.data == ("/var/lib/app",)
    assert (other.complete, other.rollout, other.packages) == (False, "", ())


class Host:
    """A directory with bundles, and this machine's shell."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "tx").mkdir()

    def bundle(self, name: str, days: int, kib: int = 100) -> None:
        directory = self.root / "tx" / name / "return"
        directory.mkdir(parents=True)
        (directory / "about").write_text(f"made {int(time.time()) - days * 86400}\n")
        (directory / "content").write_bytes(b"x" * 1024 * kib)
        (directory / "complete").touch()

    def run(self, script: str, **values: str | int) -> str:
        rules: dict[str, str | int] = {
            "KEEP_S": 10 * 86400,
            "KEEP_LAST": 2,
            "MAX_KIB": 10000,
            "PROTECTED": "",
        }
        head = program("common", "snapshots", "bundles", **(rules | {"RETURN_ID": ""} | values))
        head += f"root={quote(str(self.root))}\nTX_DIR=$root\nexec 3>&1\n"
        done = subprocess.run(["sh", "-c", head + script], capture_output=True, text=True)
        return done.stdout

    @property
    def left(self) -> set[str]:
        return {one.name for one in (self.root / "tx").iterdir()}


@pytest.fixture
def pruned(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    for name, days in (("a", 40), ("b", 30), ("c", 20), ("d", 1)):
        host.bundle(name, days)
    return host


def test_by_age_all_but_the_last_and_the_protected_go(pruned: Host) -> None:
    assert pruned.run("prune_by_age", PROTECTED="x a") == "removed b\n"
    assert pruned.left == {"a", "c", "d"}


def test_one_that_is_made_anew_counts_for_nothing(pruned: Host) -> None:
    pruned.run("prune_by_age", RETURN_ID="d")
    assert pruned.left == {"b", "c", "d"}


def test_room_is_made_from_the_oldest_on(pruned: Host) -> None:
    room = int(pruned.run("bundles_kib")) // 4
    pruned.run(f"make_room {room}", MAX_KIB=4 * room + 8)
    assert pruned.left == {"b", "c", "d"}


def test_what_has_to_stay_leaves_no_room(pruned: Host) -> None:
    said = pruned.run("make_room 200", MAX_KIB=250, PROTECTED="a b c d")
    assert said.startswith("reason\tthe disk budget for return bundles is 0 MiB")
    assert pruned.left == {"a", "b", "c", "d"}


def test_a_half_removed_bundle_is_none(pruned: Host) -> None:
    (pruned.root / "tx" / "d" / "return" / "complete").unlink()
    assert pruned.run("other_bundles | cut -d' ' -f2").split() == ["c", "b", "a"]


def test_snapshots_go_with_their_bundle(pruned: Host) -> None:
    listed = pruned.root / "tx" / "b" / "return" / "snapshots"
    listed.write_text("zfs\t/\trpool/ROOT\t-\tsuture-b-0\n")
    said = pruned.run('drop_zfs() { printf "dropped %s@%s\\n" "$2" "$4" >&3; }\nprune_by_age')
    assert "dropped rpool/ROOT@suture-b-0" in said
    assert pruned.left == {"c", "d"}


def test_a_snapshot_that_could_not_be_removed_is_tried_again(pruned: Host) -> None:
    listed = pruned.root / "tx" / "b" / "return" / "snapshots"
    listed.write_text("zfs\t/\trpool/ROOT\t-\tsuture-b-0\n")
    assert pruned.run("drop_zfs() { false; }\nprune_by_age; prune_records") == "removed a\n"
    assert pruned.left == {"b", "c", "d"}
    pruned.run("drop_zfs() { true; }\nprune_records")
    assert pruned.left == {"c", "d"}
