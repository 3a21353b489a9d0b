"""Real hosts that this machine boots: systemd, sshd, services, each at an address of its own.

A host ends with the process that made it, unless it was made to stay; what is left of dead
owners is removed by the next start. Hosts share the machine's network, each at 127.77.x.y.
"""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lab import archive_server, places, roots
from lab.preparation import prepare_script
from suture.core.documents import Document, decode, encode
from suture.core.inventory import Host
from suture.hosts.transport import Transport
from suture.hosts.transport.connector import Connector
from suture.hosts.transport.known_hosts import FirstUse, KnownHosts
from suture.hosts.transport.settings import SshSettings
from suture.twin.containers import Container, ContainerError, containers, reap
from suture.twin.processes import Process, this_process
from suture.twin.supervisor import SPEC, Spec

BOOT_S = 120.0
_RAISED = "raised-from"
_SSH_PORTS, _HTTP_PORTS = (22, 2222, 22022), (80, 8000, 18000)
_NUMBERS = range(1, 60_000)
_MAKING_S = 60


class Made(Document, frozen=True):
    """What a host's directory tells about it. ``number`` decides its address."""

    name: str
    number: int
    flavour: str
    suite: str
    ssh_port: int
    http_port: int
    key: str
    labels: tuple[str, ...] = ()
    service: str | None = None

    @property
    def address(self) -> str:
        return f"127.77.{self.number // 250}.{self.number % 250 + 1}"


@dataclass(frozen=True)
class Wanted:
    """A host to boot; ``name`` must be unique among those made together."""

    name: str
    flavour: str = "web"
    suite: str | None = None
    labels: tuple[str, ...] = ()
    service: str | None = None


class LabHost:
    """A booted host."""

    def __init__(self, directory: Path) -> None:
        self.container = Container(directory)
        self.made = decode((directory / "host.json").read_bytes(), Made)

    @property
    def name(self) -> str:
        return self.made.name

    @property
    def address(self) -> str:
        return self.made.address

    @property
    def host(self) -> Host:
        """As an operator would enrol it."""
        made = self.made
        return Host(
            name=made.name,
            address=made.address,
            port=made.ssh_port,
            key=made.key,
            labels=made.labels,
            service=made.service,
        )

    @property
    def web(self) -> str:
        """The address of its nginx, as a URL."""
        port = "" if self.made.http_port == 80 else f":{self.made.http_port}"
        return f"http://{self.address}{port}/"

    @property
    def root(self) -> Path:
        """Its file system as it sees it; only while it runs."""
        return Path(f"/proc/{self.leader.pid}/root")

    @property
    def leader(self) -> Process:
        leader = self.container.leader
        if leader is None:
            raise ContainerError(f"{self.name} is down", self.container.console)
        return leader

    @property
    def ssh_command(self) -> str:
        port = "" if self.made.ssh_port == 22 else f"-p {self.made.ssh_port} "
        known = self.container.directory / "known_hosts"
        options = f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking=accept-new"
        return f"ssh -i {self.made.key} {options} {port}root@{self.address}"

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Transport]:
        """The product's own way to it, over SSH."""
        known = KnownHosts(self.container.directory / "known_hosts.suture")
        settings = SshSettings(first_use=FirstUse.ACCEPT_NEW)
        async with (
            Connector(known, settings=settings) as connector,
            connector.connect(self.host) as transport,
        ):
            yield transport

    def run(self, script: str, *, check: bool = True, timeout_s: float = 300.0) -> str:
        """Run a script inside, beside SSH; its output. Raises where it fails, unless told not."""
        done = subprocess.run(
            [
                *("nsenter", "-t", str(self.leader.pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w"),
                *("--", "/bin/sh", "-eu"),
            ],
            input=script,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{self.name}: {script!r} ended {done.returncode}: {done.stderr}")
        return done.stdout

    def boot(self) -> None:
        """Boot it and wait until its sshd answers; nothing where it is up."""
        self.container.start()
        self.wait()

    def wait(self, *, boots: int = 1) -> None:
        self.container.wait_ready(BOOT_S, boots=boots)
        _wait_for_port(self.name, self.address, self.made.ssh_port)

    def reboot(self) -> None:
        boots = self.container.boots
        self.run("systemctl reboot", check=False)
        self.wait(boots=boots + 1)

    def stop(self) -> None:
        self.container.stop()

    def remove(self) -> None:
        self.container.remove()


class Lab:
    """The hosts that one process makes, with the archive that serves them and their SSH key.

    ``stay`` leaves all of it running when the process ends. A context manager otherwise.
    """

    def __init__(self, *, stay: bool = False) -> None:
        clean()
        self._owner = None if stay else this_process()
        self.directory = places.hosts() / "labs" / uuid.uuid4().hex[:8]
        self.directory.mkdir(parents=True)
        (self.directory / "owner.json").write_bytes(encode(self._owner))
        (self.directory / _RAISED).write_text(str(Path.cwd()))
        self.key = self.directory / "key"
        _generate_key(self.key)
        self.archive = archive_server.start(self.directory, self._owner)
        self.hosts: list[LabHost] = []

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def boot(self, *wanted: Wanted) -> tuple[LabHost, ...]:
        """Boot hosts side by side; returns when all of them answer."""
        for one in wanted:
            roots.root(one.flavour, one.suite)
        hosts = tuple(self._make(one) for one in wanted)
        self.hosts.extend(hosts)
        for host in hosts:
            host.container.start()
        with ThreadPoolExecutor(max(1, len(hosts))) as pool:
            list(pool.map(LabHost.wait, hosts))
        return hosts

    def close(self) -> None:
        """Remove the hosts and everything else."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(LabHost.remove, self.hosts))
        self.hosts.clear()
        _remove_lab(self.directory)

    def _make(self, wanted: Wanted) -> LabHost:
        root = roots.root(wanted.flavour, wanted.suite)
        with numbered_directory() as directory:
            number = int(directory.name)
            made = Made(
                name=wanted.name,
                number=number,
                flavour=wanted.flavour,
                suite=wanted.suite or root.name.partition("-")[0],
                ssh_port=_SSH_PORTS[0],
                http_port=_HTTP_PORTS[0],
                key=str(self.key),
                labels=wanted.labels,
                service=wanted.service,
            )
            made = _with_free_ports(made)
            (directory / "host.json").write_bytes(encode(made))
            spec = Spec(
                name=f"{wanted.name}-{number}",
                layers=(str(root),),
                arguments=("--resolv-conf=off", f"--hostname={wanted.name}"),
                prepare=prepare_script(
                    name=wanted.name,
                    address=made.address,
                    ssh_port=made.ssh_port,
                    http_port=made.http_port,
                    public_key=self.key.with_suffix(".pub").read_text().strip(),
                    archive=self.archive,
                ),
                machine_id=uuid.uuid4().hex,
                owner=self._owner,
            )
            Container.create(directory, spec)
        return LabHost(directory)


def are_there_hosts() -> bool:
    """Whether any are left on this machine, whoever owns them."""
    return any(containers(_hosts()))


def standing() -> tuple[LabHost, ...]:
    """The hosts that were made to stay."""
    found = (directory.parent for directory in sorted(_hosts().glob(f"*/{SPEC}")))
    return tuple(LabHost(one) for one in found if Container(one).spec.owner is None)


def whose() -> str:
    """From where and when the standing hosts were raised; empty where there are none."""
    for directory in (places.hosts() / "labs").glob("*"):
        raised = directory / _RAISED
        if _lab_owner(directory) is None and raised.exists():
            at = datetime.fromtimestamp(raised.stat().st_mtime, UTC)
            return f"raised from {raised.read_text()} at {at:%Y-%m-%d %H:%M} UTC"
    return ""


def clean() -> tuple[str, ...]:
    """Remove what dead owners left; the names of the hosts."""
    with places.locked(places.hosts() / "lock"):
        reaped = reap(_hosts())
        for directory in (places.hosts() / "labs").glob("*"):
            owner = _lab_owner(directory)
            if owner is not None and not owner.is_alive:
                _remove_lab(directory)
    return reaped


def remove_standing() -> tuple[str, ...]:
    """Remove the hosts that were made to stay, and what served them; their names."""
    hosts = standing()
    for host in hosts:
        host.remove()
    for directory in (places.hosts() / "labs").glob("*"):
        if _lab_owner(directory) is None:
            _remove_lab(directory)
    return tuple(host.name for host in hosts)


def _hosts() -> Path:
    directory = places.hosts() / "hosts"
    directory.mkdir(exist_ok=True)
    return directory


def _lab_owner(directory: Path) -> Process | None:
    """Its owner; a directory whose making was interrupted counts as its maker's."""
    try:
        return decode((directory / "owner.json").read_bytes(), Process | None)  # type: ignore[arg-type]
    except FileNotFoundError:
        return this_process()


def _remove_lab(directory: Path) -> None:
    archive_server.stop(directory)
    shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def numbered_directory() -> Iterator[Path]:
    """A directory whose number nobody else on this machine has, for numbers are addresses; it is
    taken once the block has written into it."""
    with places.locked(places.hosts() / "lock"):
        directory = _hosts() / f"{_take_number():05}"
        directory.mkdir()
        try:
            yield directory
        except BaseException:
            shutil.rmtree(directory)
            raise


def _take_number() -> int:
    """The lowest number that no host has; it is ours as soon as its directory exists, or for the
    minute that making one may take."""
    with places.locked(places.numbers() / "lock"):
        for number in _NUMBERS:
            holder = places.numbers() / f"{number:05}"
            directory = _hosts() / holder.name
            if not (_is_held(holder) or directory.exists()):
                holder.write_text(str(directory))
                return number
    raise ContainerError("every number of a host is taken")


def _is_held(holder: Path) -> bool:
    try:
        taken = time.time() - holder.stat().st_mtime < _MAKING_S
        return taken or Path(holder.read_text()).exists()
    except FileNotFoundError:
        return False


def _with_free_ports(made: Made) -> Made:
    """The usual ports, unless this machine listens there on all addresses."""
    return msgspec.structs.replace(
        made,
        ssh_port=_free_port(made.address, _SSH_PORTS),
        http_port=_free_port(made.address, _HTTP_PORTS),
    )


def _free_port(address: str, ports: Sequence[int]) -> int:
    for port in ports:
        with socket.socket() as trial:
            # Connections that an earlier host has closed do not keep a port from a listener.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((address, port))
            except OSError:
                continue
            return port
    raise ContainerError(f"no free port of {ports} at {address}")


def _wait_for_port(name: str, address: str, port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((address, port), 2) as sock:
                if sock.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.05)
    raise ContainerError(f"{name}: its sshd does not answer at {address}:{port}")


def _generate_key(path: Path) -> None:
    command = f"ssh-keygen -q -t ed25519 -N '' -C suture-lab -f {shlex.quote(str(path))}"
    subprocess.run(shlex.split(command), check=True)
