"""Where a controller is killed, frozen, or has its clock turned back: at a counted boundary.

Boundaries are the runner's (before and after a step), the network's (before and after the host
acted), and the databases' (before and after each commit, DBOS's among them). So every state that
a process can leave behind is one of them.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from suture.core.documents import Document

PLACES = (
    "step-before",
    "step-after",
    "act-before",
    "act-after",
    "commit-before",
    "commit-after",
)


class ProcessFault(Document, frozen=True):
    """``kind`` is ``kill``, ``freeze`` or ``clock`` (turned back ``seconds``), at the ``nth`` time
    that the process comes to ``place``. Who froze it wakes it after ``seconds``."""

    kind: str
    place: str
    nth: int
    seconds: float = 0.0


class Boundaries:
    """Counts the places, and does what was ordered for them."""

    def __init__(self, faults: tuple[ProcessFault, ...]) -> None:
        self._faults = {(fault.place, fault.nth): fault for fault in faults}
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def watch_databases(self) -> None:
        """Of this process, whatever opens them."""
        sa.event.listen(sa.Engine, "commit", lambda connection: self.come_to("commit-before"))
        sa.event.listen(sa.Pool, "checkin", lambda *_: self.come_to("commit-after"))

    def come_to(self, place: str) -> None:
        with self._lock:
            self._seen[place] += 1
            fault = self._faults.get((place, self._seen[place]))
        match fault and fault.kind:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "freeze":
                os.kill(os.getpid(), signal.SIGSTOP)
                # The signal may reach this thread a little later; until then it must not go on.
                time.sleep(0.05)
            case "clock":
                assert fault
                _turn_back(fault.seconds)


def _turn_back(seconds: float) -> None:
    """For a second or two, as until a time server notices."""
    import time_machine

    travel = time_machine.travel(datetime.now(UTC) - timedelta(seconds=seconds), tick=True)
    travel.start()
    threading.Timer(1.5, travel.stop).start()
