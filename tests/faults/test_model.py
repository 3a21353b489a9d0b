"""The pretend host answers as the real scripts do, which run here against a directory."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from suture.hosts.shell import program
from suture.hosts.transaction import (
    Receipt,
    Transaction,
    follow_script,
    parse_receipt,
    start_script,
)
from suture.hosts.transport import Result
from tests.faults.host import Flaws, PretendHost
from tests.faults.records import Record

Ask = Callable[[str, bytes], Result]
_ROOT = "/var/lib/suture"
_SCRIPT = program("common", PLAN="nginx amd64 1.22.1-9 1.22.1-10 0 1 upgrade") + "echo done\n"


def _real(directory: Path) -> Ask:
    """The shell, with the directory where a host has its own; no systemd either."""

    def ask(script: str, stdin: bytes) -> Result:
        for before, after in ((_ROOT, str(directory)), ("/run/systemd/system", "/nowhere")):
            script = script.replace(before, after)
        done = subprocess.run(["/bin/sh", "-c", script], input=stdin, capture_output=True)
        return Result(done.returncode, done.stdout, done.stderr)

    return ask


def _pretend(loop: asyncio.AbstractEventLoop) -> Ask:
    host = PretendHost("web1", Record(), Flaws())

    def ask(script: str, stdin: bytes) -> Result:
        return loop.run_until_complete(host.answer(script, stdin, 0))

    return ask


@pytest.fixture
def loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def _start(ask: Ask, number: str, fence: int, script: str = _SCRIPT) -> Receipt:
    one = Transaction(id=number, fence=fence, script=script)
    answer = ask(start_script(one, wait_s=5), script.encode())
    assert answer.exit == 0, answer.stderr
    return parse_receipt(answer.stdout, host="web1", offset=0)


def _follow(ask: Ask, number: str) -> Receipt:
    answer = ask(follow_script(number, offset=0, wait_s=1), b"")
    return parse_receipt(answer.stdout, host="web1", offset=0)


def _told(receipt: Receipt) -> tuple[object, ...]:
    """What decides; times, boots and logs are each host's own."""
    ended = receipt.ended_at is not None
    started = receipt.started_at is not None
    return receipt.id, receipt.state, receipt.fence, receipt.exit, started, ended


def _conversation(ask: Ask) -> list[tuple[object, ...]]:
    return [
        _told(_follow(ask, "aa")),  # absent
        _told(_start(ask, "aa", 3)),  # begins and ends
        _told(_start(ask, "aa", 3)),  # only reported
        _told(_start(ask, "aa", 4)),  # reported to a successor, whose fence counts from now on
        _told(_start(ask, "aa", 3)),  # the predecessor is refused, even a report
        _told(_start(ask, "bb", 3)),  # and starts nothing
        _told(_follow(ask, "bb")),
        _told(_start(ask, "bb", 4)),
        _told(_follow(ask, "aa")),
    ]


def test_both_give_the_same_answers(tmp_path: Path, loop: asyncio.AbstractEventLoop) -> None:
    real = _conversation(_real(tmp_path))
    assert real == _conversation(_pretend(loop))
    states = [str(state) for _, state, *_ in real]
    assert states[:2] == ["absent", "done"]
    assert states.count("refused") == 2
