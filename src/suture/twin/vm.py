"""Twins that are virtual machines: for kernels, and for whatever needs a real reboot.

The machine boots the clone's own kernel through a boot loader, reaches nothing, is reached through
one channel to an SSH server of its own, and ends with the process that made it. QEMU runs as nobody
with its files handed over open; where KVM does not work, in software, which is slow and as real.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncssh
import msgspec

from suture.core.documents import Document, decode, encode
from suture.core.inventory import Host
from suture.hosts.shell import printable
from suture.hosts.transport import FailureKind, HostError, HostFailure, Transport
from suture.hosts.transport.ssh import SshTransport
from suture.twin import disk, way_in
from suture.twin.clone import Clone
from suture.twin.containers import ContainerError
from suture.twin.disk import LABEL_PACKAGES
from suture.twin.processes import Process, find, this_process

_BOOT_S = {"kvm": 180.0, "tcg": 900.0}  # under some a guest stands still
_MEMORY_MIB = 1024
_PORT = 22022
_NETWORK = "192.0.2"  # never anybody's own (RFC 5737)
_NOBODY = 65534
_CONNECT_S = 12.0, 60.0  # the first time, and at most
_TAIL = 4000
_HOME = "/usr/lib/suture-twin"
_UNITS = "/usr/lib/systemd/system"
_WAY = "suture-twin"
_LINE = (
    *("root=/dev/vda", "rw", "console=ttyS0", "net.ifnames=0"),
    *(f"systemd.wants={_WAY}.socket", "systemd.mask=ifup@eth0.service"),
)
_PROCESSOR = {"kvm": "host", "tcg": "max,la57=off"}  # a fifth level of pages costs, in software
_STATUS = "vm.json"

WAIT_BOOTED = "systemctl is-system-running --wait >/dev/null 2>&1; :\n"
"""A script that ends when the boot has, well or not: the way in is open before."""

# Ready before any service of the host's own starts, with the host keys that those may need.
_READY_UNIT = f"""[Unit]
Description=What this twin needs
DefaultDependencies=no
After=local-fs.target systemd-udevd.service systemd-tmpfiles-setup.service
Before=basic.target network-pre.target shutdown.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {_HOME}/ready
StandardError=journal+console
"""
# The only network card is in a namespace of its own: neither the host's addresses and firewall nor
# whatever configures its network has a part in it, and its services see no card at all.
_WAY_SOCKET = f"""[Unit]
Description=The way into this twin
DefaultDependencies=no
Requires={_WAY}.service
After={_WAY}.service
Before=basic.target shutdown.target
Conflicts=shutdown.target
[Socket]
ListenStream={_NETWORK}.15:{_PORT}
NetworkNamespacePath=/run/netns/{_WAY}
Accept=yes
"""
# The host's sshd takes /run/sshd away when it ends, and no sshd lets anybody in without it.
_WAY_UNIT = f"""[Unit]
Description=Somebody who came into this twin
DefaultDependencies=no
Before=shutdown.target
Conflicts=shutdown.target
CollectMode=inactive-or-failed
[Service]
ExecStart=-/usr/sbin/sshd -i -f {_HOME}/sshd_config
StandardInput=socket
StandardError=journal
RuntimeDirectory=sshd
RuntimeDirectoryPreserve=yes
KillMode=process
"""
_READY_TEXT = """set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /run/suture/packages
ip link set lo up
ip netns add {way} || exit 1
for _ in $(seq 60); do
    nic=$(ls -d /sys/class/net/*/device 2>/dev/null | head -n 1)
    nic=${{nic%/device}}
    nic=${{nic##*/}}
    [ -n "$nic" ] && ip link set "$nic" netns {way} && break
    sleep 1
done
ip -n {way} address add {network}.15/24 dev "$nic" && ip -n {way} link set "$nic" up || exit 1
for address in {addresses}; do
    case $address in *:*) length=128 ;; *) length=32 ;; esac
    ip address replace "$address/$length" dev lo
done
[ ! -e /dev/disk/by-label/{label} ] || mountpoint -q /run/suture/packages ||
    mount -o ro LABEL={label} /run/suture/packages
[ -e {home}/made ] && exit 0
rm -rf /var/lib/suture
[ ! -d /etc/ssh ] || for key in {home}/ssh_host_*; do
    [ -e "/etc/ssh/${{key##*/}}" ] || cp -p "$key" /etc/ssh/
done
: >{home}/made
"""


class _Status(Document, frozen=True):
    """Who made the machine, and QEMU itself."""

    owner: Process
    qemu: Process | None = None


class VirtualTwin:
    """A booted virtual machine. ``accelerator`` is ``kvm`` or ``tcg`` (in software)."""

    def __init__(self, clone: Clone, directory: Path, accelerator: str, port: int) -> None:
        self.clone = clone
        self.accelerator = accelerator
        self._directory = directory
        self._port = port
        self._patience_s = _CONNECT_S[0]
        self._key = asyncssh.read_private_key(directory / "key")
        self._host_key = asyncssh.read_public_key(directory / "host_key.pub")

    @property
    def console(self) -> str:
        """The end of what it printed while booting and running."""
        return _tail(self._directory / "console.log")

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Transport]:
        """Over SSH as to a host; raises HostError while the machine is down.

        QEMU takes the connection before the machine does, and one that is emulated on a busy
        machine may need long for its part: whoever came too early waits longer the next time.
        """
        host = Host(self.clone.host, "127.0.0.1", self._port)
        try:
            async with asyncio.timeout(self._patience_s):
                connection = await asyncssh.connect(
                    host.address,
                    host.port,
                    username="root",
                    client_keys=[self._key],
                    known_hosts=([self._host_key], [], []),
                    config=None,
                    agent_path=None,
                    keepalive_interval=20,
                )
        except (TimeoutError, asyncssh.Error, OSError) as error:
            if isinstance(error, TimeoutError):
                self._patience_s = min(1.5 * self._patience_s, _CONNECT_S[1])
            raise HostError(
                HostFailure(
                    host=host.name,
                    kind=FailureKind.UNREACHABLE,
                    message=f"its virtual machine is down or booting ({error})",
                    remedy="see the twin's console in the rehearsal's record",
                )
            ) from None
        transport = SshTransport(host, connection)
        try:
            yield transport
        finally:
            await transport.close()

    @asynccontextmanager
    async def ssh(self, directory: Path) -> AsyncIterator[Path]:
        """The configuration for ``ssh -F`` by which the machine is ``twin``."""
        ways = ("HostName 127.0.0.1", f"Port {self._port}")
        yield way_in.write_config(directory, self._key, self._host_key, *ways)


def hindrance(clone: Clone, arch: str) -> str:
    """Why this host cannot have a virtual machine here; empty where it can."""
    if arch != "amd64" or os.uname().machine != "x86_64":
        return f"virtual machines are for amd64 on amd64, not {arch} on {os.uname().machine}"
    if tools := disk.missing_tools():
        return f"this machine lacks {', '.join(tools)}: apt-get install {' '.join(tools)}"
    if disk.kernel_of(Path(clone.root)) is None:
        return "the clone has no kernel of its own (vmlinuz and initrd.img)"
    return ""


@asynccontextmanager
async def boot(
    clone: Clone, machines: Path, packages: Path, arguments: tuple[str, ...]
) -> AsyncIterator[VirtualTwin]:
    """A machine from a fresh disk; ``arguments`` are its kernel's. It is gone afterwards.

    Raises :class:`ContainerError` with the end of the console where it does not come up.
    """
    directory = machines / f"vm-{uuid.uuid4().hex[:12]}"
    directory.mkdir()
    _tell(directory, _Status(this_process()))
    try:
        await _make_disks(clone, directory, packages, arguments)
        twin, process = await _start(clone, directory)
        try:
            yield twin
        finally:
            await _end(process)
    finally:
        await asyncio.to_thread(shutil.rmtree, directory, True)


def reap(machines: Path) -> None:
    """Remove what machines of dead processes left; QEMU itself ended with them."""
    for status in machines.glob(f"vm-*/{_STATUS}"):
        with suppress(FileNotFoundError, msgspec.DecodeError):
            known = decode(status.read_bytes(), _Status)
            if known.owner.is_alive:
                continue
            if known.qemu:
                known.qemu.kill()
            shutil.rmtree(status.parent, ignore_errors=True)


async def _make_disks(
    clone: Clone, directory: Path, packages: Path, arguments: tuple[str, ...]
) -> None:
    kernel = disk.kernel_of(Path(clone.root))
    if kernel is None:
        raise ContainerError("the clone has no kernel of its own")
    ours, theirs = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    ours.write_private_key(directory / "key")
    theirs.write_public_key(directory / "host_key.pub")
    ready = _READY_TEXT.format(
        way=_WAY,
        network=_NETWORK,
        addresses=" ".join(clone.addresses),
        label=LABEL_PACKAGES,
        home=_HOME,
    )
    files = {
        f"{_UNITS}/{_WAY}.service": (_READY_UNIT, 0o644),
        f"{_UNITS}/{_WAY}.socket": (_WAY_SOCKET, 0o644),
        f"{_UNITS}/{_WAY}@.service": (_WAY_UNIT, 0o644),
        f"{_HOME}/ready": (ready, 0o644),
        f"{_HOME}/sshd_config": (way_in.sshd_config(_HOME) + "MaxSessions 100\n", 0o644),
        f"{_HOME}/host_key": (theirs.export_private_key().decode(), 0o600),
        f"{_HOME}/authorized_keys": (ours.export_public_key().decode(), 0o644),
        **await asyncio.to_thread(_host_keys),
    }
    await disk.make_system(Path(clone.root), directory / "system.img", files)
    await disk.make_packages(packages, directory / "packages.img")
    await disk.make_boot_loader(directory / "boot.img", kernel, " ".join((*_LINE, *arguments)))


def _host_keys() -> dict[str, tuple[str, int]]:
    """Keys for the host's own sshd, whose keys stayed at home, of every kind that ``ssh-keygen -A``
    makes. To make them in the machine takes most of ten seconds where it is emulated."""
    kinds = (("ed25519", "ssh-ed25519"), ("ecdsa", "ecdsa-sha2-nistp256"), ("rsa", "ssh-rsa"))
    files = {}
    for name, algorithm in kinds:
        key = asyncssh.generate_private_key(algorithm)
        path = f"{_HOME}/ssh_host_{name}_key"
        files[path] = (key.export_private_key().decode(), 0o600)
        files[f"{path}.pub"] = (key.export_public_key().decode(), 0o644)
    return files


async def _start(clone: Clone, directory: Path) -> tuple[VirtualTwin, asyncio.subprocess.Process]:
    """With KVM where that works, else in software."""
    failure = ""
    for accelerator in (*(("kvm",) if _kvm_group() is not None else ()), "tcg"):
        port = _free_port()
        process = await _qemu(directory, accelerator, port)
        twin = VirtualTwin(clone, directory, accelerator, port)
        try:
            failure = await _wait_ready(twin, process, directory)
        except BaseException:
            await _end(process)
            raise
        if not failure:
            return twin, process
        await _end(process)
    raise ContainerError(f"its virtual machine {failure}", _tail(directory / "console.log"))


async def _wait_ready(
    twin: VirtualTwin, process: asyncio.subprocess.Process, directory: Path
) -> str:
    """Why it does not come up; empty once it has."""
    patience_s = _BOOT_S[twin.accelerator]
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        said = _tail(directory / "qemu.log")
        if process.returncode is not None:
            return f"ended: {said.strip()[-300:]}"
        if twin.accelerator == "kvm" and "KVM internal error" in said:
            return "cannot be run with KVM"
        with suppress(HostError):
            async with twin.connect() as way:
                await way.run(WAIT_BOOTED, timeout_s=patience_s)
                return ""
        await asyncio.sleep(1.0)
    return f"did not come up within {patience_s:g} s"


async def _qemu(directory: Path, accelerator: str, port: int) -> asyncio.subprocess.Process:
    """As nobody, with the open disks, and ended by the kernel when this process ends."""
    images = [directory / f"{name}.img" for name in ("boot", "system", "packages")]
    # QEMU looks at a file before it opens it for writing: it wants a descriptor for either.
    disks = [(os.open(one, os.O_RDWR), os.open(one, os.O_RDONLY)) for one in images]
    group = _kvm_group() if accelerator == "kvm" else None
    sets = [f"-add-fd\0fd={fd},set={n}" for n, pair in enumerate(disks, 1) for fd in pair]
    drives = [
        f"-drive\0file=/dev/fdset/{n},format=raw,cache=unsafe,if={interface}"
        for n, interface in ((1, "ide"), (2, "virtio"), (3, "virtio"))
    ]
    network = (
        f"user,id=way,restrict=on,ipv6=off,net={_NETWORK}.0/24,host={_NETWORK}.2,"
        f"hostfwd=tcp:127.0.0.1:{port}-{_NETWORK}.15:{_PORT}"
    )
    try:
        with (
            (directory / "console.log").open("wb") as console,
            (directory / "qemu.log").open("wb") as log,
        ):
            process = await asyncio.create_subprocess_exec(
                *("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--no-new-privs"),
                *((f"--groups={group}",) if group is not None else ("--clear-groups",)),
                *("--bounding-set=-all", "--inh-caps=-all", "--pdeathsig=KILL", "--"),
                *("qemu-system-x86_64", "-name", "suture-twin", "-nodefaults", "-display", "none"),
                *("-machine", f"pc,accel={accelerator}"),
                *("-cpu", _PROCESSOR[accelerator]),
                *("-smp", str(min(2, os.cpu_count() or 1)), "-m", str(_MEMORY_MIB)),
                *(
                    "-sandbox",
                    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
                ),
                *(word for one in (*sets, *drives) for word in one.split("\0")),
                *("-netdev", network, "-device", "virtio-net-pci,netdev=way,romfile="),
                *("-device", "virtio-rng-pci", "-serial", "stdio"),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=log,
                pass_fds=[fd for pair in disks for fd in pair],
                start_new_session=True,
                env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
                cwd="/",
            )
    finally:
        for pair in disks:
            for one in pair:
                os.close(one)
    _tell(directory, _Status(this_process(), find(process.pid)))
    return process


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    await process.wait()


def _kvm_group() -> int | None:
    """The group that may use KVM, None where there is none besides root."""
    try:
        status = Path("/dev/kvm").stat()
    except OSError:
        return None
    return status.st_gid if status.st_mode & 0o060 == 0o060 and status.st_gid else None


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def _tell(directory: Path, status: _Status) -> None:
    (directory / _STATUS).write_bytes(encode(status))


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            return printable(file.read())
    except FileNotFoundError:
        return ""
