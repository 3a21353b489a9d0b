"""Processes that are found again, and never mistaken for others."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from suture.twin.processes import find, this_process


def test_a_process_is_itself_and_no_other_with_its_pid() -> None:
    me = this_process()
    assert me.is_alive
    assert not msgspec.structs.replace(me, started=me.started - 1).is_alive
    assert not msgspec.structs.replace(me, boot="another").is_alive


def test_another_process_with_the_same_pid_is_left_alone() -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        real = find(sleeper.pid)
        assert real is not None
        assert msgspec.structs.replace(real, started=real.started - 1).kill()
        assert real.is_alive
        assert real.kill()
        assert not real.is_alive
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_child_ends_with_its_parent() -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, time\n"
            "from suture.twin.processes import die_with_parent\n"
            "child = subprocess.Popen(['sleep', '60'], preexec_fn=die_with_parent)\n"
            "print(child.pid, flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout
    child = find(int(parent.stdout.readline()))
    assert child is not None
    parent.kill()
    parent.wait()
    assert child.kill(wait_s=10)
