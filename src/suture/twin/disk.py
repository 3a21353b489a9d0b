"""Disks of a virtual machine: a clone as one that boots, its boot loader, the packages.

The system's disk is made from the clone's tree by ``mkfs.ext4 -d``, so nothing of a hostile tree is
ever mounted or run on this machine; what the twin needs besides is written into the image itself,
where no link leads out. The boot loader is GRUB, on a disk of its own: like on a host it loads what
the packages have put in place, so that a reboot finds the new kernel and, after the way back, the
old one.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from suture.twin.containers import ContainerError

_GRUB = Path("/usr/lib/grub/i386-pc")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_ROOM_BYTES = 4 * 2**30
_SECTOR = 512
_TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "grub-mkimage": "grub-common",
    "mkfs.ext4": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "setpriv": "util-linux",
}
LABEL_PACKAGES = "suture-packages"


def missing_tools() -> tuple[str, ...]:
    """Debian packages that a virtual machine needs and this machine lacks."""
    absent = {package for tool, package in _TOOLS.items() if not shutil.which(tool, path=_PATH)}
    if not (_GRUB / "boot.img").exists():
        absent.add("grub-pc-bin")
    return tuple(sorted(absent))


def kernel_of(root: Path) -> tuple[str, str] | None:
    """Where the clone's packages keep the links to the kernel to boot and its initial file system;
    None where there are none."""
    for directory in ("", "boot/"):
        links = (root / f"{directory}vmlinuz", root / f"{directory}initrd.img")
        if all(link.is_symlink() or link.is_file() for link in links):
            return f"/{directory}vmlinuz", f"/{directory}initrd.img"
    return None


async def make_system(root: Path, image: Path, files: Mapping[str, tuple[str, int]]) -> None:
    """The clone as a file system with room to work, and ``files``: path → text and mode.

    Raises :class:`ContainerError`.
    """
    need = _size_of(await _run("du", "-sxk", str(root)))
    free = shutil.disk_usage(image.parent).free
    if need * 2 > free:
        raise ContainerError(
            f"the disk of its virtual machine needs {need / 2**30:.1f} GiB and some room to work, "
            f"{free / 2**30:.1f} GiB are free in {image.parent}; make room or leave out more"
        )
    size_kib = (need + need // 2 + _ROOM_BYTES) // 1024
    await _make(root, image, size_kib, label="suture-twin")
    await _write_into(image, files)


async def make_packages(directory: Path, image: Path) -> None:
    need = sum(file.stat().st_size for file in directory.iterdir() if file.is_file())
    await _make(directory, image, (need + need // 4) // 1024 + 32 * 1024, label=LABEL_PACKAGES)


async def make_boot_loader(image: Path, kernel: tuple[str, str], arguments: str) -> None:
    """A disk that boots the kernel of the second disk, whatever it is by then."""
    config, core = image.with_suffix(".cfg"), image.with_suffix(".core")
    config.write_text(f"set root=(hd1)\nlinux {kernel[0]} {arguments}\ninitrd {kernel[1]}\nboot\n")
    modules = ("biosdisk", "ext2", "linux")
    await _run(
        *("grub-mkimage", "-O", "i386-pc", "-p", "/", "-c", str(config), "-o", str(core)), *modules
    )
    whole = (_GRUB / "boot.img").read_bytes() + core.read_bytes()
    image.write_bytes(whole + bytes(-len(whole) % _SECTOR))


async def _make(tree: Path, image: Path, size_kib: int, *, label: str) -> None:
    options = ("-q", "-F", "-m", "0", "-E", "root_owner=0:0", "-L", label)
    await _run("mkfs.ext4", *options, "-d", str(tree), str(image), f"{size_kib}k")


async def _write_into(image: Path, files: Mapping[str, tuple[str, int]]) -> None:
    """By debugfs, which knows no path outside of the image."""
    scratch = image.with_suffix(".files")
    scratch.mkdir()
    commands = []
    for number, (path, (text, mode)) in enumerate(files.items()):
        source = scratch / str(number)
        source.write_text(text)
        parents = [str(parent) for parent in reversed(Path(path).parents)][1:]
        commands += [f"mkdir {parent}" for parent in parents]
        commands += [f"write {source} {path}", f"sif {path} mode 0{0o100000 | mode:o}"]
        commands += [f"sif {path} uid 0", f"sif {path} gid 0"]
    script = scratch / "commands"
    script.write_text("\n".join(commands) + "\n")
    await _run("debugfs", "-w", "-f", str(script), str(image))
    shutil.rmtree(scratch)


def _size_of(printed: bytes) -> int:
    return int(printed.split()[0]) * 1024


async def _run(*command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": _PATH, "LC_ALL": "C"},
    )
    try:
        out, said = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        what = said.decode("utf-8", "replace").strip()[-300:]
        raise ContainerError(f"the disk of its virtual machine cannot be made: {what}")
    return out
