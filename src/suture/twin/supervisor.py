"""Keeps one container: mounts its disk, prepares it, boots it, boots it again after a reboot.

``python -m suture.twin.supervisor DIRECTORY`` runs in a mount namespace of its own, so that its
mounts go with it however it ends. It ends with the process that owns the container, and the
container ends with it: the kernel sees to both, so a killed controller leaves files at most.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from suture.core.documents import Document, decode, encode
from suture.twin import cgroups
from suture.twin.processes import Process, die_with_parent, find, this_process

_REBOOT = 133
_PREPARE_S = 120.0
_POWER_OFF_S = 20.0
_FULL_DEVICE = 2**16
# In a user namespace, root's capabilities count for nothing outside, whatever the files' owners.
_ISOLATION = ("--private-users=identity", "--drop-capability=CAP_MKNOD")

SPEC, STATUS, CONSOLE = "spec.json", "status.json", "console.log"


class Spec(Document, frozen=True):
    """``layers`` are directories, the topmost first, below the container's own writes.

    ``arguments`` go to systemd-nspawn as they are. ``prepare`` is a shell script that runs inside
    the container before it boots for the first time. The container ends with ``owner``; without
    one it stays until somebody stops it. ``isolated`` gives it a network that reaches nothing,
    where ``addresses`` are its own, and no privilege over this machine. ``boot_arguments`` are
    its init's, as a kernel would pass them.
    """

    name: str
    layers: tuple[str, ...]
    arguments: tuple[str, ...]
    prepare: str
    owner: Process | None
    machine_id: str | None = None
    isolated: bool = False
    addresses: tuple[str, ...] = ()
    boot_arguments: tuple[str, ...] = ()


class Status(Document, frozen=True):
    """``leader`` is the container's init; ``ready`` says that it finished booting.

    ``failure`` says why the container could not be started; ``ended`` that it is no more.
    ``groups`` are its control groups.
    """

    supervisor: Process
    leader: Process | None = None
    boots: int = 0
    ready: bool = False
    ended: bool = False
    failure: str = ""
    groups: tuple[str, ...] = ()


class Supervisor:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._spec = decode((directory / SPEC).read_bytes(), Spec)
        self._status = Status(supervisor=this_process())
        self._selector = selectors.DefaultSelector()
        self._orphaned = False
        self._stopping = False

    def run(self) -> None:
        """Until the container powers off, a signal asks for the end, or the owner is gone."""
        self._tell()
        self._listen()
        failure = ""
        try:
            self._mount()
            if self._spec.isolated:
                _set_up_network(self._spec.addresses)
            if not cgroups.systemd_runs():
                self._tell(groups=cgroups.enter(f"suture-{self._spec.name}-{os.getpid()}"))
            failure = self._prepare()
            while not failure and not self._stopping and self._boot() == _REBOOT:
                pass
        except (OSError, subprocess.SubprocessError) as error:
            failure = f"cannot be started: {error}"
        self._tell(ended=True, ready=False, leader=None, failure=failure)
        if self._orphaned:
            subprocess.run(["umount", "--lazy", str(self._directory / "root")], check=False)
            cgroups.leave(self._status.groups)
            cgroups.remove(self._status.groups)
            forget(self._spec.name)
            shutil.rmtree(self._directory, ignore_errors=True)

    def _listen(self) -> None:
        """Wake up for notes from systemd-nspawn, for signals, and for the owner's end."""
        self._notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        address = self._directory / "notify"
        address.unlink(missing_ok=True)
        self._notes.bind(str(address))
        wake, self._woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._woken)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self._selector.register(self._notes, selectors.EVENT_READ, self._read_notes)
        self._selector.register(wake, selectors.EVENT_READ, lambda: os.read(wake, 4096))
        owner = self._spec.owner
        if owner is None:
            return
        handle = os.pidfd_open(owner.pid) if owner.is_alive else None
        if handle is None or find(owner.pid) != owner:
            self._on_orphaned()
        else:
            self._selector.register(handle, selectors.EVENT_READ, self._on_orphaned)

    def _on_signal(self, *_: object) -> None:
        self._stopping = True

    def _on_orphaned(self) -> None:
        self._orphaned = self._stopping = True

    def _read_notes(self) -> None:
        for line in self._notes.recv(_FULL_DEVICE).decode("utf-8", "replace").splitlines():
            key, _, value = line.partition("=")
            if key == "X_NSPAWN_LEADER_PID" and value.isascii() and value.isdigit():
                self._tell(leader=find(int(value)))
            elif (key, value) == ("READY", "1"):
                self._tell(ready=True)

    def _mount(self) -> None:
        upper, work, root = (self._directory / name for name in ("upper", "work", "root"))
        for directory in (upper, work, root):
            directory.mkdir(exist_ok=True)
        bottom = Path(self._spec.layers[-1]).stat()
        os.chown(upper, bottom.st_uid, bottom.st_gid)
        upper.chmod(bottom.st_mode & 0o7777)
        options = f"lowerdir={':'.join(self._spec.layers)},upperdir={upper},workdir={work}"
        command = ["mount", "-t", "overlay", "overlay", "-o", options, str(root)]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        if mounted.returncode:
            raise OSError(f"its disk cannot be mounted: {mounted.stderr.strip()}")

    def _prepare(self) -> str:
        """Run the script once; why it failed, empty where it did not."""
        done = self._directory / "prepared"
        if done.exists() or not self._spec.prepare:
            return ""
        with (self._directory / "prepare.log").open("wb") as log:
            process = self._start(["--as-pid2", "--pipe", "--", "/bin/sh", "-eu"], log, feed=True)
            assert process.stdin
            with process.stdin as script:
                script.write(self._spec.prepare.encode())
            ended = self._attend(process, time.monotonic() + _PREPARE_S)
        if ended == 0:
            done.touch()
            return ""
        said = (self._directory / "prepare.log").read_text(errors="replace")[-600:].strip()
        return f"could not be prepared (status {ended}): {said}"

    def _boot(self) -> int:
        with (self._directory / CONSOLE).open("ab") as console:
            process = self._start(
                ["--boot", "--notify-ready=yes", "--", *self._spec.boot_arguments], console
            )
            self._tell(boots=self._status.boots + 1, ready=False, leader=None)
            return self._attend(process, None)

    def _start(
        self, mode: list[str], output: IO[bytes], *, feed: bool = False
    ) -> subprocess.Popen[bytes]:
        spec = self._spec
        return subprocess.Popen(
            [
                *("systemd-nspawn", "--quiet", "--register=no"),
                *([] if cgroups.systemd_runs() else ["--keep-unit"]),
                *("--directory", str(self._directory / "root"), "--machine", spec.name),
                *(["--uuid", spec.machine_id] if spec.machine_id else []),
                *(_ISOLATION if spec.isolated else []),
                *spec.arguments,
                *mode,
            ],
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={
                "PATH": os.defpath + ":/usr/sbin:/sbin",
                "NOTIFY_SOCKET": str(self._directory / "notify"),
            },
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    def _attend(self, process: subprocess.Popen[bytes], deadline: float | None) -> int:
        """Wait for the end of the process, or bring it about; its exit status."""
        handle = os.pidfd_open(process.pid)
        self._selector.register(handle, selectors.EVENT_READ, lambda: None)
        try:
            while process.poll() is None:
                if self._stopping or (deadline and time.monotonic() > deadline):
                    return self._end(process)
                for key, _ in self._selector.select(1.0):
                    key.data()
            return process.returncode
        finally:
            self._selector.unregister(handle)
            os.close(handle)

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        """Nobody waits for an orderly end of a container whose disk is thrown away."""
        if not self._orphaned and self._status.ready:
            process.terminate()
            try:
                return process.wait(_POWER_OFF_S)
            except subprocess.TimeoutExpired:
                pass
        process.kill()
        if self._status.leader:
            self._status.leader.kill()
        return process.wait()

    def _tell(self, **changes: object) -> None:
        self._status = msgspec.structs.replace(self._status, **changes)
        part = self._directory / f"{STATUS}.part"
        part.write_bytes(encode(self._status))
        part.replace(self._directory / STATUS)


def forget(name: str) -> None:
    """Remove the directory that systemd-nspawn leaves for a machine that was killed."""
    with suppress(OSError):
        Path("/run/systemd/nspawn/propagate", name).rmdir()


def _set_up_network(addresses: Iterable[str]) -> None:
    """This process has a network namespace of its own, with nothing but loopback. The container
    has no privilege over it, so it gets the low ports without one."""
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
    commands = [["link", "set", "lo", "up"]]
    for address in addresses:
        length = "128" if ":" in address else "32"
        commands.append(["address", "add", f"{address}/{length}", "dev", "lo"])
    for command in commands:
        done = subprocess.run(["ip", *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"its network cannot be set up: {done.stderr.strip()}")


if __name__ == "__main__":
    Supervisor(Path(sys.argv[1])).run()
