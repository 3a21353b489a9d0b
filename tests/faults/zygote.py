"""Controllers on the spot: a process that has imported everything forks them.

``python -m tests.faults.zygote`` reads orders, one JSON document a line, and prints ``born PID``,
``frozen PID``, and ``dead PID STATUS`` (minus the signal where one ended it).
"""

from __future__ import annotations

import os
import queue
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from suture.twin.processes import die_with_parent
from tests.faults.controller import Orders, control

ROOT = Path(__file__).parents[2]


class Child:
    """A controller. ``status`` is None while it lives, minus the signal where one ended it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.status: int | None = None
        self.frozen = False


class Zygote:
    """The test's end. One thread uses it. ``said`` are the lines that its children printed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._born: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._children: dict[int, Child] = {}
        self.said: list[str] = []
        for act in (self._listen, self._overhear):
            threading.Thread(target=act, name="zygote", daemon=True).start()

    def fork(self, orders: Orders) -> Child:
        assert self._process.stdin
        self._process.stdin.write(msgspec.json.encode(orders) + b"\n")
        self._process.stdin.flush()
        return self._children[self._born.get(timeout=60)]

    def kill(self, child: Child) -> None:
        self._signal(child, signal.SIGKILL)

    def wake(self, child: Child) -> None:
        child.frozen = False
        self._signal(child, signal.SIGCONT)

    def _signal(self, child: Child, number: signal.Signals) -> None:
        """Nothing to a child that has ended: told already, or reaped a moment ago."""
        if child.status is None:
            with suppress(ProcessLookupError):
                os.kill(child.pid, number)

    def _overhear(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self.said.append(line.decode(errors="replace").rstrip())

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            word, pid, *rest = line.decode().split()
            match word:
                case "born":
                    self._children[int(pid)] = Child(int(pid))
                    self._born.put(int(pid))
                case "frozen":
                    self._children[int(pid)].frozen = True
                case "dead":
                    self._children[int(pid)].status = int(rest[0])


@contextmanager
def running() -> Iterator[Zygote]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.zygote"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=die_with_parent,
    )
    try:
        yield Zygote(process)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    wakes, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    orders = b""
    while True:
        ready, _, _ = select.select([0, wakes], [], [])
        if wakes in ready:
            os.read(wakes, 4096)
            _tell_changes()
        if 0 in ready:
            read = os.read(0, 2**16)
            if not read:
                return
            *lines, orders = (orders + read).split(b"\n")
            for line in lines:
                _fork(msgspec.json.decode(line, type=Orders))


def _fork(orders: Orders) -> None:
    pid = os.fork()
    if pid:
        _tell(f"born {pid}")
        return
    status = 1
    try:
        die_with_parent()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(2, 1)
        status = control(orders)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _tell_changes() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if os.WIFSTOPPED(status):
            _tell(f"frozen {pid}")
        else:
            _tell(f"dead {pid} {os.waitstatus_to_exitcode(status)}")


def _tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    main()
