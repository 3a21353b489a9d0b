"""What a virtual machine needs, and what is left of one whose process died."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from suture.core.documents import encode
from suture.twin import disk, vm
from suture.twin.clone import Clone
from suture.twin.processes import this_process
from tests.unit.core import builders


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Of a host with a kernel, on a machine that has all tools."""
    monkeypatch.setattr(disk, "missing_tools", lambda: ())
    for name in ("vmlinuz", "initrd.img"):
        (tmp_path / name).symlink_to(f"boot/{name}-6.1.0-51-amd64")
    return Clone("web1", str(tmp_path), (), (), builders.NOW, 0, 0.0)


def test_nothing_stands_in_the_way(clone: Clone) -> None:
    assert vm.hindrance(clone, "amd64") == ""


def test_what_stands_in_the_way_is_said(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not arm64" in vm.hindrance(clone, "arm64")
    monkeypatch.setattr(disk, "missing_tools", lambda: ("grub-common", "qemu-system-x86"))
    assert "apt-get install grub-common qemu-system-x86" in vm.hindrance(clone, "amd64")
    monkeypatch.setattr(disk, "missing_tools", lambda: ())
    (Path(clone.root) / "vmlinuz").unlink()
    assert "no kernel of its own" in vm.hindrance(clone, "amd64")


def test_only_machines_of_dead_processes_are_removed(tmp_path: Path) -> None:
    living = this_process()
    dead = replace(living, started=living.started - 1)
    for name, owner in (("vm-living", living), ("vm-dead", dead)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vm.json").write_bytes(encode({"owner": owner, "qemu": None}))
    (tmp_path / "vm-damaged").mkdir()
    (tmp_path / "vm-damaged" / "vm.json").write_bytes(b"{")
    vm.reap(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["vm-damaged", "vm-living"]
