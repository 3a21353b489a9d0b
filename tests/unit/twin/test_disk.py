"""Disks are made and read back without mounting anything."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from suture.twin.containers import ContainerError
from suture.twin.disk import kernel_of, make_boot_loader, make_packages, make_system, missing_tools

_needs_tools = pytest.mark.skipif(
    bool(missing_tools()), reason=f"needs the Debian packages {', '.join(missing_tools())}"
)


def _read(image: Path, path: str) -> str:
    done = subprocess.run(
        ["debugfs", "-R", f"cat {path}", image],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"},
    )
    return done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "usr/lib/systemd").mkdir(parents=True)
    (root / "boot").mkdir()
    (root / "etc").mkdir()
    (root / "etc/hostname").write_text("web1\n")
    return root


def test_the_kernel_is_where_the_packages_link_to_it(root: Path) -> None:
    assert kernel_of(root) is None
    for name in ("vmlinuz", "initrd.img"):
        (root / "boot" / name).symlink_to(f"{name}-6.1.0-51-amd64")
    assert kernel_of(root) == ("/boot/vmlinuz", "/boot/initrd.img")
    for name in ("vmlinuz", "initrd.img"):
        (root / name).symlink_to(f"boot/{name}-6.1.0-51-amd64")
    assert kernel_of(root) == ("/vmlinuz", "/initrd.img")


@_needs_tools
async def test_the_system_has_what_the_twin_needs_besides(root: Path, tmp_path: Path) -> None:
    image = tmp_path / "system.img"
    await make_system(root, image, {"/usr/lib/twin/ready": ("exit 0\n", 0o600)})
    assert _read(image, "/etc/hostname") == "web1\n"
    assert _read(image, "/usr/lib/twin/ready") == "exit 0\n"
    assert not (root / "usr/lib/twin").exists()


@_needs_tools
async def test_a_link_in_the_tree_leads_nowhere_outside(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.rmtree(root / "usr")
    (root / "usr").symlink_to(outside)
    await make_system(root, tmp_path / "system.img", {"/usr/lib/twin/ready": ("exit 0\n", 0o600)})
    assert list(outside.iterdir()) == []


@_needs_tools
async def test_packages_and_boot_loader_are_disks(root: Path, tmp_path: Path) -> None:
    directory = tmp_path / "packages"
    directory.mkdir()
    (directory / "a_1%3a1_all.deb").write_bytes(b"x" * 1000)
    await make_packages(directory, tmp_path / "packages.img")
    assert _read(tmp_path / "packages.img", "/a_1%3a1_all.deb") == "x" * 1000
    boot = tmp_path / "boot.img"
    await make_boot_loader(boot, ("/vmlinuz", "/initrd.img"), "root=/dev/vda")
    assert boot.read_bytes()[510:512] == b"\x55\xaa"
    assert boot.stat().st_size % 512 == 0


async def test_a_tool_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match="cannot be made"):
        await make_packages(tmp_path, tmp_path / "no" / "such" / "packages.img")
