"""Processes of this machine that can be found again: a pid alone may have been given away."""

from __future__ import annotations

import ctypes
import os
import select
import signal
from contextlib import suppress
from functools import cache
from pathlib import Path

from suture.core.documents import Document

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Process(Document, frozen=True):
    """One process: its pid, its start in clock ticks since boot, and the boot it belongs to."""

    pid: int
    started: int
    boot: str

    @property
    def is_alive(self) -> bool:
        """Whether this very process runs; a zombie counts as dead."""
        return find(self.pid) == self

    def kill(self, number: signal.Signals = signal.SIGKILL, *, wait_s: float = 10.0) -> bool:
        """Send a signal and wait for the end; whether it has ended. Never another process."""
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                if self.is_alive:
                    signal.pidfd_send_signal(handle, number)
                    select.select([handle], [], [], wait_s)
            finally:
                os.close(handle)
        return not self.is_alive


def find(pid: int) -> Process | None:
    """The process that has this pid now, None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else Process(pid, int(fields[19]), _boot_id())


def this_process() -> Process:
    found = find(os.getpid())
    assert found is not None
    return found


def die_with_parent() -> None:
    """For ``preexec_fn``: the kernel kills this process when the one that started it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
