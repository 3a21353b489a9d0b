"""An OpenSSH server of the tests' own, on a free port of the loopback interface."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from suture.core.inventory import Host

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))


@dataclass
class Server:
    home: Path
    port: int

    @property
    def key(self) -> str:
        return str(self.home / "user")

    def host(self, **changes: object) -> Host:
        values: dict[str, object] = {
            "name": "web1",
            "address": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "key": self.key,
        }
        return Host(**{**values, **changes})  # type: ignore[arg-type]

    def new_host_key(self) -> None:
        for suffix in ("", ".pub"):
            (self.home / f"host{suffix}").unlink(missing_ok=True)
        _write_key(self.home / "host")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """A server process in the foreground, until it is no longer needed."""
        assert SSHD
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        process = subprocess.Popen(  # noqa: ASYNC220
            [SSHD, "-D", "-e", "-f", str(self.home / "config")],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            await _listening(self.port)
            yield
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)


def _write_key(path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(path)
    path.chmod(0o600)
    key.write_public_key(path.with_name(path.name + ".pub"))


async def _listening(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise AssertionError("sshd does not listen")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def made(tmp_path: Path) -> Server:
    """A configured server that does not run yet."""
    if SSHD is None:
        pytest.skip("sshd is not installed")
    home = tmp_path / "sshd"
    home.mkdir(mode=0o700)
    for name in ("host", "user", "stranger"):
        _write_key(home / name)
    server = Server(home, free_port())
    (home / "config").write_text(
        f"Port {server.port}\n"
        "ListenAddress 127.0.0.1\n"
        f"HostKey {home / 'host'}\n"
        f"AuthorizedKeysFile {home / 'user.pub'}\n"
        f"PidFile {home / 'pid'}\n"
        "StrictModes no\n"
        "UsePAM no\n"
        "PermitRootLogin prohibit-password\n"
        "PasswordAuthentication no\n"
        "AllowTcpForwarding yes\n"
    )
    return server


@pytest.fixture
async def server(made: Server) -> AsyncIterator[Server]:
    async with made.running():
        yield made
