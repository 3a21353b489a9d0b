"""A look at a transaction by the script that hosts run: what it waits for, what it leaves alone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from suture.hosts.shell import program, quote
from suture.hosts.transaction import Receipt, TransactionState, parse_receipt

TX = "0a1b"


@pytest.fixture
def tx(tmp_path: Path) -> Path:
    """The directory of a transaction that is prepared."""
    made = tmp_path / "tx" / TX
    made.mkdir(parents=True)
    (made / "script").touch()
    return made


def _script(tx: Path, wait_s: int, offset: int = 0) -> str:
    root = f"root={quote(str(tx.parents[1]))}\n"
    return program("common") + root + program("follow", TX=TX, OFFSET=offset, WAIT_S=wait_s)


def _look(tx: Path, wait_s: int, offset: int = 0) -> Receipt:
    done = subprocess.run(
        ["sh", "-c", _script(tx, wait_s, offset)], capture_output=True, check=True
    )
    return parse_receipt(done.stdout, host="web1", offset=offset)


@contextmanager
def _running(tx: Path, work: str) -> Iterator[None]:
    """A runner that has begun, holds its lock and does ``work``."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text()
    (tx / "boot_id").write_text(boot_id)
    (tx / "started").write_text("1795422000\n")
    script = f"exec 8>>alive; flock -n 8; echo; {work}"
    with subprocess.Popen(["sh", "-c", script], cwd=tx, stdout=subprocess.PIPE) as runner:
        try:
            assert runner.stdout is not None
            assert runner.stdout.readline()
            yield
        finally:
            runner.kill()


def test_the_end_is_waited_for(tx: Path) -> None:
    with _running(tx, "sleep 1.5; echo 0 >exit"):
        receipt = _look(tx, wait_s=60)
    assert (receipt.state, receipt.exit) == (TransactionState.DONE, 0)


def test_what_is_printed_is_handed_over_before_the_end(tx: Path) -> None:
    with _running(tx, "echo Unpacking >log; exec sleep 60"):
        receipt = _look(tx, wait_s=60)
    assert (receipt.state, receipt.log) == (TransactionState.RUNNING, "Unpacking\n")


def test_one_that_says_nothing_is_left_running(tx: Path) -> None:
    with _running(tx, "exec sleep 60"):
        assert _look(tx, wait_s=2).state is TransactionState.RUNNING


def test_a_runner_that_was_killed_is_seen_to_be_gone(tx: Path) -> None:
    with _running(tx, "sleep 0.3"):
        assert _look(tx, wait_s=60).state is TransactionState.INTERRUPTED


def test_a_runner_that_is_yet_to_begin_finds_its_lock_free(tx: Path) -> None:
    """It gives up where it does not get it at once."""
    with subprocess.Popen(["sh", "-c", _script(tx, 2)], stdout=subprocess.PIPE) as looking:
        try:
            for _ in range(40):
                subprocess.run(["flock", "-n", tx / "alive", "sleep", "0.02"], check=True)
        finally:
            out, _ = looking.communicate()
    assert parse_receipt(out, host="web1", offset=0).state is TransactionState.PREPARED
