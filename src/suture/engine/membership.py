"""Which processes are at work on a database, and which of them are dead.

A process is alive as long as its heartbeat in the database changes, as seen by whoever looks. No
clock of another machine is believed, and one's own may be set at any time.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from suture.store.workers import Worker, site

HEARTBEAT_S = 2.0
DEAD_AFTER_S = 20.0
UNBOUND_AWAY_S = 20.0  # one bound to no site is given that long for a restart
_BLIND_AFTER_S = 3 * HEARTBEAT_S


def this_process(
    *, drives: str = "", jumps: tuple[str, ...] = (), sites: tuple[str, ...] = ()
) -> Worker:
    pid = os.getpid()
    return Worker(
        id=f"{socket.gethostname()[:24]}-{pid}-{_token()}-{_started(pid)}",
        machine=_machine(),
        pid=pid,
        drives=drives,
        jumps=jumps,
        sites=sites,
    )


def place_of(jump: str, labels: Iterable[str], workers: Iterable[Worker]) -> str:
    """Where one of ``workers`` is at home that a host belongs to: behind its jump host, else by
    the first of its labels; ``""`` where nobody is."""
    served = {place for one in workers for place in one.places if place}
    wanted = (jump, *map(site, labels))
    return next((place for place in wanted if place in served), "")


class Watch:
    """Looks at the others' heartbeats, again and again; what it was told before it remembers.

    One that does not change for ``DEAD_AFTER_S`` is of a process that is dead, or frozen, or cut
    off from the database. Where this process itself did not look for some beats, it has no say
    about that time and begins anew: it may have been frozen, or the database away for all.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked = 0.0
        self._changed: dict[str, tuple[float, float]] = {}  # id → heartbeat, when it was new
        self._beaten: set[str] = set()
        self._unbound = 0.0

    def alive(self, workers: Iterable[Worker]) -> tuple[Worker, ...]:
        """Those of the ``workers``, as just read, that do not count as dead."""
        now = self._clock()
        if now - self._looked > _BLIND_AFTER_S:
            self._changed.clear()
            self._unbound = now
        self._looked = now
        seen = self._changed
        self._changed = {}
        living = []
        for worker in workers:
            heartbeat, since = seen.get(worker.id, (worker.heartbeat, now))
            if heartbeat != worker.heartbeat:
                self._beaten.add(worker.id)
                since = now
            self._changed[worker.id] = worker.heartbeat, since
            if now - since <= DEAD_AFTER_S and not is_gone(worker):
                living.append(worker)
        if any("" in one.places for one in living):
            self._unbound = now
        return tuple(living)

    @property
    def is_without_unbound(self) -> bool:
        """Whether all have been bound to sites for a while: what is of no site is theirs then."""
        return self._looked - self._unbound > UNBOUND_AWAY_S

    def is_proved(self, worker: Worker) -> bool:
        """Whether its heart was seen beating, or its process is seen on this machine."""
        return worker.id in self._beaten or (_is_here(worker) and not is_gone(worker))


def is_gone(worker: Worker) -> bool:
    """It was on this machine, and there is no such process any more."""
    return _is_here(worker) and not worker.id.endswith(f"-{_started(worker.pid) or 'gone'}")


def _is_here(worker: Worker) -> bool:
    return worker.machine == _machine()


def _machine() -> str:
    """This machine since its last boot, as far as its process ids mean the same."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    processes = Path("/proc/self/ns/pid").readlink()
    return f"{socket.gethostname()[:128]} {boot} {processes}"


@cache
def _token() -> str:
    """Of this process. Containers that share the machine's name, and are started together, have
    the same pid and the same start."""
    return secrets.token_hex(3)


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks, which tells it from a later one of the same
    number; empty when there is none, or only a dead one that nobody has waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in ("Z", "X") else fields[18]
