"""What a virtual machine needs, and what is left of one whose process died."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest
from msgspec.structs import replace

from suture.core.documents import encode
from suture.hosts.transport import FailureKind, HostError, HostFailure
from suture.hosts.transport.local import LocalTransport
from suture.twin import disk, vm
from suture.twin.clone import Clone
from suture.twin.containers import ContainerError
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


async def _written(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, int]]:
    """What a machine's disk holds besides the clone."""
    files: dict[str, tuple[str, int]] = {}

    async def make_system(root: Path, image: Path, more: Mapping[str, tuple[str, int]]) -> None:
        files.update(more)
        raise ContainerError("enough was seen")

    monkeypatch.setattr(disk, "make_system", make_system)
    with pytest.raises(ContainerError):
        async with vm.boot(clone, Path(clone.root), Path(clone.root), ()):
            pass
    return files


async def test_host_keys_come_with_the_disk(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    files = await _written(clone, monkeypatch)
    for kind in ("rsa", "ecdsa", "ed25519"):
        private, mode = files[f"/usr/lib/suture-twin/ssh_host_{kind}_key"]
        public, _ = files[f"/usr/lib/suture-twin/ssh_host_{kind}_key.pub"]
        assert asyncssh.import_private_key(private).export_public_key().decode() == public
        assert mode == 0o600


def test_only_host_keys_that_are_missing_are_put_in_place(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = asyncio.run(_written(clone, monkeypatch))
    home, there = tmp_path / "twin", tmp_path / "etc"
    home.mkdir()
    there.mkdir()
    for path, (text, mode) in files.items():
        (home / Path(path).name).write_text(text)
        (home / Path(path).name).chmod(mode)
    (there / "ssh_host_rsa_key").write_text("its own")
    ready, _ = files["/usr/lib/suture-twin/ready"]
    step = ready[ready.index("[ ! -d /etc/ssh ]") : ready.index(": >")]
    step = step.replace("/usr/lib/suture-twin", str(home)).replace("/etc/ssh", str(there))
    subprocess.run(["sh", "-euc", step], check=True)
    assert (there / "ssh_host_rsa_key").read_text() == "its own"
    assert (there / "ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in there.iterdir()) == sorted(
        f"ssh_host_{kind}_key{end}" for kind in ("rsa", "ecdsa", "ed25519") for end in ("", ".pub")
    )


@pytest.mark.parametrize("said", ["", "KVM internal error. Suberror: 1\n"])
async def test_where_no_guest_comes_up_under_kvm_it_is_emulated(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str
) -> None:
    ways = []

    async def qemu(directory: Path, accelerator: str, port: int) -> asyncio.subprocess.Process:
        if accelerator == "kvm":
            (directory / "qemu.log").write_text(said)
        ways.append(await asyncio.create_subprocess_exec("sleep", "60"))
        return ways[-1]

    @asynccontextmanager
    async def connect(twin: vm.VirtualTwin) -> AsyncIterator[LocalTransport]:
        if twin.accelerator == "kvm":
            raise HostError(HostFailure("web1", FailureKind.UNREACHABLE, "it is booting", ""))
        yield LocalTransport()

    monkeypatch.setattr(vm, "_kvm_group", lambda: 7)
    monkeypatch.setattr(vm, "_qemu", qemu)
    monkeypatch.setattr(vm, "_BOOT_S", {"kvm": 0.01, "tcg": 60.0})
    monkeypatch.setattr(vm, "WAIT_BOOTED", "true")
    monkeypatch.setattr(vm.VirtualTwin, "connect", connect)
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(tmp_path / "key")
    key.write_public_key(tmp_path / "host_key.pub")
    twin, process = await vm._start(clone, tmp_path)
    assert twin.accelerator == "tcg"
    assert [one.returncode is None for one in ways] == [False, True]
    await vm._end(process)
