"""What a host restarts by itself, and what it leaves for a reboot."""

from __future__ import annotations

import subprocess

import pytest

from suture.core.planning.restarts import LEFT_RUNNING
from suture.hosts.shell import program, quote


@pytest.mark.parametrize(
    ("unit", "restarted"),
    [
        ("nginx.service", True),
        ("ssh.service", True),
        ("postgresql@15-main.service", True),
        ("dbus.service", False),
        ("user@1000.service", False),
        ("sshd@3-192.0.2.1:22-192.0.2.2:4242.service", False),
        ("suture-0a1b.service", False),
        ("init.scope", False),
    ],
)
def test_a_unit_is_restarted_or_left_for_a_reboot(unit: str, restarted: bool) -> None:
    script = program("restart", LEFT_RUNNING=LEFT_RUNNING) + f"restartable {quote(unit)}"
    answer = subprocess.run(["sh", "-c", script], check=False)
    assert (answer.returncode == 0) is restarted
