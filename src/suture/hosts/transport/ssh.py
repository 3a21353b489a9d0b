"""Hosts over SSH: one connection, each script in a session of its own.

The user's ``~/.ssh/config`` is not read: what an enrolled host is must not depend on the account
that runs the rollout. Passwords and passphrases are never asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from pathlib import Path
from typing import Any

import asyncssh
import stamina

from suture.core.inventory import Host
from suture.hosts.text import clean
from suture.hosts.transport import FailureKind, HostError, HostFailure
from suture.hosts.transport.known_hosts import FirstUse, KnownHosts
from suture.hosts.transport.settings import Ask, SshSettings
from suture.hosts.transport.shell import Limits, Pipes, ShellTransport

_HOST_KEYS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_CERTIFICATES = tuple(f"{name}-cert-v01@openssh.com" for name in _HOST_KEYS)
_KEY_EXCHANGES = "^curve25519-sha256,curve25519-sha256@libssh.org"
_CIPHERS = "^aes256-gcm@openssh.com,aes128-gcm@openssh.com"  # as safe as ChaCha20, and cheaper


# A try that failed is no event of its own: the outcome is what the caller reports.
stamina.instrumentation.set_on_retry_hooks([])


class _Client(asyncssh.SSHClient):
    """Remembers the key that the host showed, so that a refusal can name it."""

    offered: asyncssh.SSHKey | None = None

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        self.offered = key
        return False


class _SshPipes:
    def __init__(self, process: asyncssh.SSHClientProcess[bytes], transport: SshTransport) -> None:
        self._process = process
        self._transport = transport

    async def write(self, data: bytes) -> None:
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def write_eof(self) -> None:
        self._process.stdin.write_eof()

    async def read(self, size: int) -> bytes:
        try:
            return await self._process.stdout.read(size)
        except (asyncssh.Error, OSError) as error:
            raise self._transport._lost(str(error)) from None

    async def read_error(self, size: int) -> bytes:
        try:
            return await self._process.stderr.read(size)
        except (asyncssh.Error, OSError) as error:
            raise self._transport._lost(str(error)) from None

    async def wait(self) -> int:
        await self._process.wait_closed()
        if self._process.exit_signal is not None:
            return -1
        if self._process.exit_status is None:
            raise self._transport._lost("")
        return self._process.exit_status

    async def kill(self) -> None:
        with contextlib.suppress(asyncssh.Error, OSError):
            self._process.kill()
        self._process.close()


class SshTransport(ShellTransport):
    """An open SSH connection to one host."""

    def __init__(
        self, host: Host, connection: asyncssh.SSHClientConnection, limits: Limits | None = None
    ) -> None:
        super().__init__(host.name, user=host.user, limits=limits)
        self.connection = connection

    async def _start(self, argv: list[str]) -> Pipes:
        try:
            process = await self.connection.create_process(shlex.join(argv), encoding=None)
        except (asyncssh.Error, OSError) as error:
            raise self._lost(str(error)) from None
        return _SshPipes(process, self)

    async def close(self) -> None:
        self.connection.close()
        try:
            async with asyncio.timeout(5):
                await self.connection.wait_closed()
        except (TimeoutError, asyncssh.Error, OSError):
            self.connection.abort()


async def connect(
    host: Host,
    *,
    known_hosts: KnownHosts,
    settings: SshSettings | None = None,
    ask: Ask | None = None,
    tunnel: asyncssh.SSHClientConnection | None = None,
) -> SshTransport:
    """Connect to ``host``, through ``tunnel`` where it has a jump host.

    Raises :class:`HostError` of kind UNREACHABLE, HOST_KEY, AUTHENTICATION or TIMEOUT.
    """
    settings = settings or SshSettings()
    connection = await _connect_pinning(host, known_hosts, settings, ask, tunnel)
    return SshTransport(host, connection, settings.limits)


async def _connect_pinning(
    host: Host,
    known_hosts: KnownHosts,
    settings: SshSettings,
    ask: Ask | None,
    tunnel: asyncssh.SSHClientConnection | None,
) -> asyncssh.SSHClientConnection:
    """A key never seen before ends the first try; once pinned, the second has it verified."""
    for again in (True, False):
        client = _Client()
        try:
            options = await _options(host, known_hosts, settings)
            return await _connect_retrying(host, client, settings, options, tunnel)
        except asyncssh.HostKeyNotVerifiable as error:
            if client.offered is None or not again:
                raise _host_key_failure(host, clean(str(error))) from None
            await _consider(host, client.offered, known_hosts, settings, ask)
    raise AssertionError("unreachable")


async def _connect_retrying(
    host: Host,
    client: _Client,
    settings: SshSettings,
    options: dict[str, Any],
    tunnel: asyncssh.SSHClientConnection | None,
) -> asyncssh.SSHClientConnection:
    try:
        async for attempt in stamina.retry_context(
            on=_is_transient, attempts=settings.attempts, wait_initial=0.5, wait_max=5.0
        ):
            with attempt:
                async with asyncio.timeout(settings.connect_timeout_s):
                    return await asyncssh.connect(
                        host.address,
                        host.port,
                        username=host.user,
                        client_factory=lambda: client,
                        tunnel=tunnel or (),
                        **options,
                    )
    except asyncssh.HostKeyNotVerifiable:
        raise
    except (asyncssh.Error, OSError, ValueError) as error:
        raise _connect_failure(host, error, settings) from None
    raise AssertionError("unreachable")


def _is_transient(error: Exception) -> bool:
    """Whether trying again soon can help. A name that does not resolve can come back, too."""
    if isinstance(error, asyncssh.ConnectionLost):
        return True
    return isinstance(error, OSError) and not isinstance(error, PermissionError)


async def _options(host: Host, known_hosts: KnownHosts, settings: SshSettings) -> dict[str, Any]:
    try:
        pinned = known_hosts.pinned(host.address, host.port)
    except ValueError as error:
        raise _failure(
            host, FailureKind.HOST_KEY, clean(str(error)), "Repair or remove this line."
        ) from None
    known = {name.decode() for key in pinned.keys for name in key.sig_algorithms}
    algorithms = sorted(_HOST_KEYS, key=lambda name: name not in known)
    if pinned.authorities:
        algorithms = [*_CERTIFICATES, *algorithms]
    return {
        "config": None,
        "known_hosts": (pinned.keys, pinned.authorities, pinned.revoked),
        "server_host_key_algs": algorithms,
        "kex_algs": _KEY_EXCHANGES,
        "encryption_algs": _CIPHERS,
        "keepalive_interval": settings.keepalive_s,
        "keepalive_count_max": settings.keepalive_count,
        "connect_timeout": None,
        "login_timeout": settings.connect_timeout_s,
        "preferred_auth": "publickey",
        "gss_host": None,
        "x509_trusted_certs": None,
        **_credentials(host),
    }


def _credentials(host: Host) -> dict[str, Any]:
    """A named key alone, else whatever the agent and the user's standard key files have."""
    agent = os.environ.get("SSH_AUTH_SOCK") or None
    if host.key is None:
        return {"agent_path": agent}
    path = Path(host.key).expanduser()
    try:
        return {"client_keys": [asyncssh.read_private_key(str(path))], "agent_path": None}
    except OSError as error:
        raise _failure(
            host,
            FailureKind.AUTHENTICATION,
            f"cannot read the key {path}: {error.strerror}",
            "Name a private key file with --key, or load the key into the SSH agent.",
        ) from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError) as error:
        if "passphrase" in str(error).lower():
            return _from_agent(host, path, agent)
        raise _failure(
            host,
            FailureKind.AUTHENTICATION,
            f"{path} is no private key: {clean(str(error))}",
            "Name a private key file (not the .pub one) with --key.",
        ) from None


def _from_agent(host: Host, path: Path, agent: str | None) -> dict[str, Any]:
    """An encrypted key is usable when the agent holds it; its public half says which one."""
    public = path.with_name(path.name + ".pub")
    if agent and public.is_file():
        with contextlib.suppress(asyncssh.KeyImportError, OSError, ValueError):
            keys = [asyncssh.read_public_key(str(public))]
            return {"client_keys": None, "agent_path": agent, "agent_identities": keys}
    raise _failure(
        host,
        FailureKind.AUTHENTICATION,
        f"the key {path} is encrypted",
        f"Load it into an SSH agent: eval $(ssh-agent); ssh-add {shlex.quote(str(path))}",
    )


async def _consider(
    host: Host,
    key: asyncssh.SSHKey,
    known_hosts: KnownHosts,
    settings: SshSettings,
    ask: Ask | None,
) -> None:
    """Pin a key at first sight as the policy says; raises when it is changed or refused."""
    shown = key.get_fingerprint()
    algorithm = key.get_algorithm()
    before = known_hosts.fingerprints(host.address, host.port)
    if shown in before:
        return  # another connection to the same host was faster
    if before:
        raise _host_key_failure(
            host, f"the host key changed: pinned {', '.join(before)}, now {algorithm} {shown}"
        )
    accepted = settings.first_use is FirstUse.ACCEPT_NEW
    if settings.first_use is FirstUse.ASK and ask is not None:
        accepted = await asyncio.to_thread(ask, host.name, algorithm, shown)
    if not accepted:
        raise _failure(
            host,
            FailureKind.HOST_KEY,
            f"the host is not known yet; its {algorithm} key is {shown}",
            "Compare the fingerprint on the host's console, then pin the key: run `suture scan` or "
            "`suture hosts test` with --accept-new.",
        )
    known_hosts.pin(host.address, host.port, key)


def _failure(host: Host, kind: FailureKind, message: str, remedy: str) -> HostError:
    return HostError(HostFailure(host=host.name, kind=kind, message=message, remedy=remedy))


def _host_key_failure(host: Host, message: str) -> HostError:
    return _failure(
        host,
        FailureKind.HOST_KEY,
        message,
        "Compare the fingerprint on the host's console (ssh-keygen -lf "
        "/etc/ssh/ssh_host_ed25519_key.pub). If the change is yours, remove the old key: "
        f"`suture hosts test {shlex.quote(host.name)} --forget-key`.",
    )


def _reason(error: Exception) -> str:
    """What went wrong without an address or number: negative ones are not the system's."""
    if not isinstance(error, OSError):
        return str(error)
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)


def _connect_failure(host: Host, error: Exception, settings: SshSettings) -> HostError:
    where = f"{host.address} port {host.port}"
    if isinstance(error, TimeoutError):
        return _failure(
            host,
            FailureKind.UNREACHABLE,
            f"{where} did not answer within {settings.connect_timeout_s:g} s",
            "Check that the host is up and that no firewall drops SSH from here.",
        )
    if isinstance(error, asyncssh.PermissionDenied):
        tried = f"the key {host.key}" if host.key else "the SSH agent and the standard key files"
        return _failure(
            host,
            FailureKind.AUTHENTICATION,
            f"{where} refused user {host.user}; tried {tried}",
            f"Put the public key into ~{host.user}/.ssh/authorized_keys there, "
            "or name another key with --key.",
        )
    if isinstance(error, asyncssh.ChannelOpenError):
        return _failure(
            host,
            FailureKind.UNREACHABLE,
            f"the jump host cannot reach {where}: {clean(str(error))}",
            "Check the address as seen from the jump host, and that it allows TCP forwarding.",
        )
    if isinstance(error, asyncssh.Error):
        return _failure(
            host,
            FailureKind.UNREACHABLE,
            f"{where} does not speak SSH as expected: {clean(str(error))}",
            "Check that an OpenSSH server listens there, and its log.",
        )
    return _failure(
        host,
        FailureKind.UNREACHABLE,
        f"cannot connect to {where}: {clean(_reason(error))}",
        "Check the address, the port, and that the SSH server runs.",
    )
