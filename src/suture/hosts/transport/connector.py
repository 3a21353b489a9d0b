"""Opens transports for a fleet: limits on connections, and jump hosts shared."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from suture.core.inventory import Host
from suture.core.policy import Concurrency
from suture.hosts.transport import FailureKind, HostError, HostFailure
from suture.hosts.transport.known_hosts import KnownHosts
from suture.hosts.transport.local import LocalTransport
from suture.hosts.transport.settings import Ask, SshSettings
from suture.hosts.transport.shell import ShellTransport

if TYPE_CHECKING:
    import asyncssh

    from suture.hosts.transport.ssh import SshTransport

_JUMP = re.compile(
    r"(?:(?P<user>[A-Za-z_][A-Za-z0-9_.-]*)@)?"
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<address>[A-Za-z0-9][A-Za-z0-9_.-]*))"
    r"(?::(?P<port>\d{1,5}))?"
)


class Connector:
    """``async with connector.connect(host) as transport``; close it at the end, or use it as a
    context manager itself. The host named ``local`` at address ``local`` is this machine.
    ``limits`` are of open connections."""

    def __init__(
        self,
        known_hosts: KnownHosts,
        *,
        settings: SshSettings | None = None,
        limits: Concurrency | None = None,
        ask: Ask | None = None,
    ) -> None:
        limits = limits or Concurrency()
        self._known_hosts = known_hosts
        self._settings = settings or SshSettings()
        self._ask = _one_at_a_time(ask)
        self._total = asyncio.Semaphore(limits.total)
        self._per_jump: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(limits.per_jump)
        )
        self._opening: defaultdict[tuple[str, str | None], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._jumps: dict[tuple[str, str | None], SshTransport] = {}

    async def __aenter__(self) -> Connector:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def connect(self, host: Host) -> AsyncIterator[ShellTransport]:
        """An open transport, closed at the end; raises :class:`HostError`."""
        if host.address == "local":
            yield LocalTransport(host.name, limits=self._settings.limits)
            return
        async with AsyncExitStack() as stack:
            if host.jump:
                await stack.enter_async_context(self._per_jump[host.jump])
            await stack.enter_async_context(self._total)
            transport = await self._open(host)
            stack.push_async_callback(transport.close)
            yield transport

    async def close(self) -> None:
        """Close the shared jump connections."""
        jumps = list(self._jumps.values())
        self._jumps.clear()
        await asyncio.gather(*(jump.close() for jump in jumps))

    async def _open(self, host: Host) -> SshTransport:
        tunnel = (await self._jump(host)).connection if host.jump else None
        return await self._over_ssh(host, tunnel)

    async def _jump(self, host: Host) -> SshTransport:
        """The shared connection to the host's jump host, opened again where it has died."""
        assert host.jump
        name = (host.jump, host.key)
        async with self._opening[name]:
            known = self._jumps.get(name)
            if known is None or known.connection.is_closed():
                known = self._jumps[name] = await self._over_ssh(_jump_host(host))
        return known

    async def _over_ssh(
        self, host: Host, tunnel: asyncssh.SSHClientConnection | None = None
    ) -> SshTransport:
        """SSH takes 90 ms to load, for which the first host that is reached so has to wait."""
        from suture.hosts.transport.ssh import connect

        return await connect(
            host,
            known_hosts=self._known_hosts,
            settings=self._settings,
            ask=self._ask,
            tunnel=tunnel,
        )


def _jump_host(host: Host) -> Host:
    """The jump host as a host of its own; it is reached with the key of the host behind it."""
    found = _JUMP.fullmatch(host.jump or "")
    port = int(found["port"] or 22) if found else 0
    if not found or not 0 < port < 65536:
        raise HostError(
            HostFailure(
                host=host.name,
                kind=FailureKind.UNREACHABLE,
                message=f"not a jump host: {host.jump!r:.80}",
                remedy="Write it as user@host or user@host:port.",
            )
        )
    return Host(
        name=f"{host.name} (jump host {host.jump})",
        address=found["six"] or found["address"],
        port=port,
        user=found["user"] or host.user,
        key=host.key,
    )


def _one_at_a_time(ask: Ask | None) -> Ask | None:
    """People answer one question after the other, however many hosts are new."""
    import threading

    if ask is None:
        return None
    turn = threading.Lock()

    def asking(host: str, algorithm: str, fingerprint: str) -> bool:
        with turn:
            return ask(host, algorithm, fingerprint)

    return asking
