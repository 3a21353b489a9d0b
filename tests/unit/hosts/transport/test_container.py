"""Entering a container: the way in outlives what a shutdown does to the processes inside."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from suture.hosts.transport import FailureKind, HostError, container
from suture.hosts.transport.container import ContainerTransport

_NAMESPACES = ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork"]


@pytest.fixture
def leader() -> Iterator[int]:
    """The pid, on this machine, of the first process of new namespaces."""
    if os.geteuid() != 0:
        pytest.skip("entering namespaces needs root")
    command = [*_NAMESPACES, "--kill-child", "--mount-proc", "sh", "-c", "echo; exec sleep 600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as unshare:
        assert unshare.stdout and unshare.stderr
        if not unshare.stdout.readline():
            pytest.skip(f"no namespaces here: {unshare.stderr.read().decode().strip()}")
        yield int(Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text())
        unshare.kill()


async def test_a_script_runs_inside(leader: int) -> None:
    way = ContainerTransport("twin", leader)
    result = await way.run("cat /proc/1/comm; exit 3")
    assert (result.exit, result.stdout) == (3, b"sleep\n")
    await way.close()


async def test_a_script_that_is_stopped_and_killed_is_a_lost_connection(leader: int) -> None:
    """As systemd-shutdown does: it stops everybody, kills, and waits until they are gone."""
    way = ContainerTransport("twin", leader)
    script = "(kill -STOP $$; sleep 1; kill -KILL $$) & wait; sleep 600"
    with pytest.raises(HostError) as caught:
        await way.run(script, timeout_s=60)
    assert caught.value.failure.kind is FailureKind.CONNECTION_LOST
    await way.close()


async def test_no_exit_status_is_lost(leader: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "_LOOK_S", 0)
    way = ContainerTransport("twin", leader)
    results = [await way.run("exit 7") for _ in range(20)]
    assert {result.exit for result in results} == {7}
    await way.close()
