"""Connecting to a real OpenSSH server, and every way in which that fails."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
import subprocess
from pathlib import Path

import asyncssh
import pytest

from suture.core.inventory import Host
from suture.core.policy import Concurrency
from suture.hosts.transport import FailureKind, HostError, HostFailure
from suture.hosts.transport.connector import Connector
from suture.hosts.transport.known_hosts import FirstUse, KnownHosts
from suture.hosts.transport.settings import SshSettings
from suture.hosts.transport.shell import Limits
from tests.unit.hosts.transport.conftest import Server, free_port

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="scripts run as root; the test is not")
ACCEPT = SshSettings(first_use=FirstUse.ACCEPT_NEW, attempts=1)


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def store(tmp_path: Path) -> KnownHosts:
    return KnownHosts(tmp_path / "known_hosts")


async def refused(
    host: Host, store: KnownHosts, settings: SshSettings = ACCEPT, script: str = "true"
) -> HostFailure:
    async with Connector(store, settings=settings) as connector:
        with pytest.raises(HostError) as caught:
            async with connector.connect(host) as transport:
                await transport.run(script)
    assert caught.value.failure.remedy
    return caught.value.failure


async def reached(host: Host, store: KnownHosts) -> None:
    async with Connector(store, settings=ACCEPT) as connector, connector.connect(host):
        pass


@root_only
async def test_scripts_and_binary_input_pass_unchanged(server: Server, store: KnownHosts) -> None:
    data = bytes(range(256)) * 5000
    async with (
        Connector(store, settings=ACCEPT) as connector,
        connector.connect(server.host()) as transport,
    ):
        result = await transport.run("cat; printf 'x\\n\\n' >&2; exit 3\n\n", stdin=data)
        assert (result.exit, result.stdout, result.stderr) == (3, data, b"x\n\n")
        assert (await transport.run("kill -9 $$")).exit == -1


@root_only
async def test_a_script_is_in_no_argument_list(server: Server, store: KnownHosts) -> None:
    script = "secret=hunter2; for at in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$at; echo; done"
    async with (
        Connector(store, settings=ACCEPT) as connector,
        connector.connect(server.host()) as transport,
    ):
        result = await transport.run(script)
    assert b"sshd" in result.stdout
    assert b"hunter2" not in result.stdout


@root_only
async def test_files_go_and_come_back(server: Server, store: KnownHosts, tmp_path: Path) -> None:
    data = os.urandom(300_000) + b"\n\n\0"
    path = tmp_path / "a file; 'quoted'"
    async with (
        Connector(store, settings=ACCEPT) as connector,
        connector.connect(server.host()) as transport,
    ):
        await transport.put(data, str(path), mode=0o640)
        assert path.read_bytes() == data
        assert path.stat().st_mode & 0o777 == 0o640
        assert await transport.get(str(path)) == data
        assert [one.name for one in tmp_path.iterdir() if "quoted" in one.name] == [path.name]
        with pytest.raises(FileNotFoundError):
            await transport.get(str(tmp_path / "none"))
        with pytest.raises(OSError, match="cannot write"):
            await transport.put(b"", str(tmp_path / "none" / "x"))


@root_only
async def test_streams_end_with_the_scripts_status(server: Server, store: KnownHosts) -> None:
    async with (
        Connector(store, settings=ACCEPT) as connector,
        connector.connect(server.host()) as transport,
    ):
        size = 0
        async for chunk in transport.stream("head -c 5000000 /dev/zero"):
            size += len(chunk)
        assert size == 5_000_000
        with pytest.raises(HostError, match="status 2: gone wrong"):
            async for _ in transport.stream("echo a; echo gone wrong >&2; exit 2"):
                pass


@root_only
async def test_a_flood_is_cut_off(server: Server, store: KnownHosts) -> None:
    settings = SshSettings(
        first_use=FirstUse.ACCEPT_NEW, limits=Limits(stdout=100_000, stderr=1000)
    )
    failure = await refused(server.host(), store, settings, script="yes")
    assert failure.kind is FailureKind.MALFORMED


@root_only
async def test_a_script_that_hangs_times_out(server: Server, store: KnownHosts) -> None:
    async with (
        Connector(store, settings=ACCEPT) as connector,
        connector.connect(server.host()) as transport,
    ):
        with pytest.raises(HostError) as caught:
            await transport.run("sleep 30", timeout_s=0.3)
        assert caught.value.failure.kind is FailureKind.TIMEOUT
        assert (await transport.run("echo still here")).stdout == b"still here\n"


async def test_first_use_is_strict_unless_said_otherwise(server: Server, store: KnownHosts) -> None:
    failure = await refused(server.host(), store, SshSettings())
    assert failure.kind is FailureKind.HOST_KEY
    assert "SHA256:" in failure.message
    assert store.fingerprints("127.0.0.1", server.port) == ()


async def test_asking_shows_the_fingerprint_and_pins_on_yes(
    server: Server, store: KnownHosts
) -> None:
    asked: list[tuple[str, str, str]] = []

    def ask(host: str, algorithm: str, fingerprint: str) -> bool:
        asked.append((host, algorithm, fingerprint))
        return len(asked) > 1

    connector = Connector(store, settings=SshSettings(first_use=FirstUse.ASK), ask=ask)
    with pytest.raises(HostError, match="not known yet"):
        async with connector.connect(server.host()):
            pass
    for _ in range(2):
        async with connector.connect(server.host()):
            pass
    shown = asyncssh.read_public_key(server.home / "host.pub").get_fingerprint()
    assert asked == [("web1", "ssh-ed25519", shown)] * 2
    assert store.fingerprints("127.0.0.1", server.port) == (shown,)


async def test_two_that_meet_a_host_at_once_see_no_changed_key(
    server: Server, store: KnownHosts
) -> None:
    settings = SshSettings(first_use=FirstUse.ACCEPT_NEW)
    both = [Connector(store, settings=settings) for _ in range(2)]
    await asyncio.gather(*(_reach(one, server.host()) for one in both))
    assert len(store.fingerprints("127.0.0.1", server.port)) == 1


async def _reach(connector: Connector, host: Host) -> None:
    async with connector.connect(host):
        pass


async def test_a_changed_key_is_refused_until_the_old_one_is_forgotten(
    made: Server, store: KnownHosts
) -> None:
    async with made.running():
        await reached(made.host(), store)
    old = asyncssh.read_public_key(made.home / "host.pub").get_fingerprint()
    made.new_host_key()
    new = asyncssh.read_public_key(made.home / "host.pub").get_fingerprint()
    async with made.running():
        failure = await refused(made.host(), store)
        assert failure.kind is FailureKind.HOST_KEY
        assert old in failure.message
        assert new in failure.message
        assert "--forget-key" in failure.remedy
        assert store.forget("127.0.0.1", made.port)
        await reached(made.host(), store)


async def test_a_wrong_key_names_what_was_tried(server: Server, store: KnownHosts) -> None:
    stranger = str(server.home / "stranger")
    failure = await refused(server.host(key=stranger), store)
    assert failure.kind is FailureKind.AUTHENTICATION
    assert stranger in failure.message


async def test_an_encrypted_key_needs_an_agent(server: Server, store: KnownHosts) -> None:
    locked = server.home / "locked"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "long enough", "-f", str(locked)]
    await asyncio.to_thread(subprocess.run, make, check=True)
    failure = await refused(server.host(key=str(locked)), store)
    assert failure.kind is FailureKind.AUTHENTICATION
    assert "ssh-add" in failure.remedy


@pytest.mark.parametrize("text", [None, "not a key"])
async def test_a_missing_or_damaged_key_file_is_named(
    server: Server, store: KnownHosts, text: str | None
) -> None:
    path = server.home / "damaged"
    if text:
        path.write_text(text)
    failure = await refused(server.host(key=str(path)), store)
    assert failure.kind is FailureKind.AUTHENTICATION
    assert str(path) in failure.message


async def test_nobody_listens(store: KnownHosts) -> None:
    failure = await refused(Host(name="a", address="127.0.0.1", port=free_port()), store)
    assert failure.kind is FailureKind.UNREACHABLE
    assert "refused" in failure.message


async def test_something_else_listens(store: KnownHosts) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x1b[2J" + b"HTTP/1.1 400 no\r\n" * 500)
        writer.close()

    other = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    async with other:
        failure = await refused(Host(name="a", address="127.0.0.1", port=port), store)
    assert failure.kind is FailureKind.UNREACHABLE
    assert failure.message.isprintable()


async def test_a_host_that_accepts_and_says_nothing(store: KnownHosts) -> None:
    settings = SshSettings(first_use=FirstUse.ACCEPT_NEW, attempts=1, connect_timeout_s=0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        failure = await refused(Host(name="a", address="127.0.0.1", port=port), store, settings)
    assert failure.kind is FailureKind.UNREACHABLE


async def test_a_dead_peer_is_noticed(server: Server, store: KnownHosts) -> None:
    """The way to the server goes silent, as when a cable is pulled."""
    silent = asyncio.Event()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not silent.is_set():
                writer.write(data)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pump(reader, upstream[1]), pump(upstream[0], writer))

    between = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = between.sockets[0].getsockname()[1]
    settings = SshSettings(first_use=FirstUse.ACCEPT_NEW, keepalive_s=0.2, keepalive_count=2)
    async with (
        Connector(store, settings=settings) as connector,
        connector.connect(server.host(port=port)) as transport,
    ):
        silent.set()
        with pytest.raises(HostError) as caught:
            await transport.run("echo", timeout_s=60)
    assert caught.value.failure.kind is FailureKind.CONNECTION_LOST
    between.close()


@root_only
async def test_many_hosts_share_one_jump_connection(server: Server, store: KnownHosts) -> None:
    jump = f"{getpass.getuser()}@127.0.0.1:{server.port}"
    limits = Concurrency(total=4, per_jump=2)
    async with Connector(store, settings=ACCEPT, limits=limits) as connector:

        async def ask(number: int) -> bytes:
            async with connector.connect(server.host(name=f"h{number}", jump=jump)) as transport:
                return (await transport.run("echo $PPID")).stdout

        answers = await asyncio.gather(*(ask(number) for number in range(5)))
        assert len(set(answers)) == 5
        assert len(connector._jumps) == 1


async def test_a_jump_host_that_cannot_reach_the_host(server: Server, store: KnownHosts) -> None:
    jump = f"{getpass.getuser()}@127.0.0.1:{server.port}"
    failure = await refused(server.host(port=free_port(), jump=jump), store)
    assert failure.kind is FailureKind.UNREACHABLE
    assert "jump host" in failure.message


async def test_a_jump_host_that_is_none(store: KnownHosts) -> None:
    failure = await refused(Host(name="a", address="127.0.0.1", jump="-oProxyCommand=x"), store)
    assert "jump host" in failure.message
