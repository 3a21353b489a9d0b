from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import many_sessions
from suture.hosts.transaction import Receipt, TransactionState
from suture.hosts.transport.shell import ShellTransport
from tests.unit.hosts.transport.conftest import Server, made, server

__all__ = ("made", "server")


@pytest.mark.skipif(os.geteuid() != 0, reason="scripts run as root; the test is not")
async def test_sessions_are_open_at_once_and_weighed(server: Server, tmp_path: Path) -> None:
    hosts = [server.host(name=f"host-{number}") for number in range(3)]
    figures = await many_sessions.opened(hosts, tmp_path)
    assert figures["rss_mb"] > 10
    assert figures["start_rss_mb"] > 10, "of tests before it, some memory may be given back"
    assert figures["cpu_ms"] > 0


def _receipt(state: TransactionState, log: str, offset: int) -> Receipt:
    return Receipt("00" * 10, state, 1, None, None, None, "a", "a", log=log, offset=offset)


async def test_looks_and_lines_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    async def follow(way: object, tx_id: str, *, offset: int) -> Receipt:
        seen.append(offset)
        return _receipt(TransactionState.RUNNING, "a\nb\n", offset + 4)

    monkeypatch.setattr(many_sessions, "follow", follow)
    clock = SimpleNamespace(monotonic=lambda: len(seen))
    monkeypatch.setattr(many_sessions, "time", clock)
    first = _receipt(TransactionState.RUNNING, "", 0)
    assert await many_sessions._follow(_Way(), first, until=3) == (3, 6)
    assert seen == [0, 4, 8]


async def test_a_transaction_that_ends_early_spoils_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def follow(way: object, tx_id: str, *, offset: int) -> Receipt:
        return _receipt(TransactionState.INTERRUPTED, "", offset)

    monkeypatch.setattr(many_sessions, "follow", follow)
    first = _receipt(TransactionState.RUNNING, "", 0)
    with pytest.raises(RuntimeError, match="host: the transaction is interrupted"):
        await many_sessions._follow(_Way(), first, until=time.monotonic() + 60)


class _Way(ShellTransport):
    """Never used to reach anything."""

    def __init__(self) -> None:
        super().__init__("host")

    async def _start(self, argv: list[str]) -> None:  # type: ignore[override]
        raise AssertionError(argv)
