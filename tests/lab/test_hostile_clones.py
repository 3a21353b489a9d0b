"""Archives of a hostile host: clones write nothing outside, and are no larger than allowed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.fleet import Lab
from suture.hosts.transport import Result
from suture.twin.clone import CloneError, stream_root

pytestmark = pytest.mark.lab


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
