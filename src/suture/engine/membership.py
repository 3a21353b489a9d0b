"""Which processes are at work on a database, and which of them are dead."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from suture.store.workers import Worker

DEAD_AFTER_S = 20.0
"""Machines that share a database need clocks that agree better than this. Where they do not,
work is taken over needlessly, which the fences make harmless."""


def this_process() -> Worker:
    pid = os.getpid()
    return Worker(
        id=f"{socket.gethostname()[:24]}-{pid}-{_started(pid)}",
        machine=_machine(),
        pid=pid,
        heartbeat=time.time(),
    )


def is_dead(worker: Worker) -> bool:
    """No heartbeat for a while, or, on this machine, no such process any more."""
    if time.time() - worker.heartbeat > DEAD_AFTER_S:
        return True
    is_here = worker.machine == _machine()
    return is_here and not worker.id.endswith(f"-{_started(worker.pid) or 'gone'}")


def _machine() -> str:
    """This machine since its last boot, as far as its process ids mean the same."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    processes = Path("/proc/self/ns/pid").readlink()
    return f"{socket.gethostname()[:128]} {boot} {processes}"


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks, which tells it from a later one of the same
    number; empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
