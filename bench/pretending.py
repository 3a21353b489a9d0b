"""A worker over pretend hosts, whose steps take as long as they took real ones.

``python -m bench.pretending DATABASE SPEED AT_ONCE`` drives all rollouts until SIGTERM. It writes
a line when it has begun, and at the end one with its memory and CPU.
"""

from __future__ import annotations

import asyncio
import csv
import json
import resource
import signal
import sys
from collections import defaultdict
from pathlib import Path
from random import Random

from suture.core.documents import digest
from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.engine.driver import driving
from suture.engine.work import HostWork
from suture.services.collecting import clock
from suture.store.database import open_store

_RECORDED = Path(__file__).parent / "recordings" / "rollout" / "steps.csv"
_LOG = "Setting up a package of a version that is written out in full ...\n" * 12


def recorded() -> dict[Step, list[float]]:
    """Step → the seconds that it took on lab hosts."""
    found: dict[Step, list[float]] = defaultdict(list)
    with _RECORDED.open() as file:
        for row in csv.DictReader(file):
            found[Step(row["step"])].append(float(row["seconds"]))
    return found


class PretendHosts:
    """Answers like real hosts, ``speed`` times as fast; the same host draws the same times."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._seconds = recorded()

    async def run(self, work: HostWork, step: Step, fence: int) -> StepReport:
        began = clock()
        seconds = Random(f"{work.id} {step}").choice(self._seconds[step])
        await asyncio.sleep(seconds / self._speed)
        return StepReport(
            host=work.host,
            step=step,
            verdict=Verdict.PASS,
            started_at=began,
            seconds=seconds,
            changed_host=step is Step.APPLY,
            checks=(Check("versions", Verdict.PASS, "12 packages"),),
            transaction=digest(work.id)[:16] if step is Step.APPLY else "",
            log=_LOG if step is Step.APPLY else "",
        )

    async def release(self, work: HostWork) -> None:
        """Nothing is kept open."""


def _most_mb() -> float:
    """The most memory that was resident. ``ru_maxrss`` would count the parent's before the exec."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    database, speed, at_once = sys.argv[1:]
    store = open_store(database)
    with driving(store, PretendHosts(float(speed)), at_once=int(at_once)) as driver:
        signal.signal(signal.SIGTERM, lambda number, frame: driver.stop())
        print(driver.worker.id, flush=True)
        driver.serve(on_settled=lambda tick: None)
    store.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {"rss_mb": _most_mb(), "cpu_s": used.ru_utime + used.ru_stime}
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
