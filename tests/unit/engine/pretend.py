"""Pretend hosts that keep the on-host protocol in files, and a process that drives them.

A host's file holds its highest fence, every transaction that was carried out, and how often each
was asked for. Run as a program it drives a rollout and kills or freezes itself where told:
``python -m tests.unit.engine.pretend DATABASE DIRECTORY ROLLOUT [STEP:WHEN]``.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from suture.core.evidence import Step, StepReport, Verdict
from suture.core.rollout.gates import Look
from suture.engine.driver import driving
from suture.engine.work import FetchWork, HostWork, LookWork
from suture.store.database import open_store

_CHANGING = (Step.APPLY, Step.RESTART, Step.REBOOT, Step.VERIFY, Step.ROLL_BACK)


class PretendRunner:
    """``fails`` maps host to the step that fails there and blames ``suspects``; ``stop_at`` is
    ``apply:before``, ``apply:amid``, ``apply:after`` or ``apply:freeze`` of the first host that
    comes there, ``look:1`` the second look at a wave.
    ``refuses`` are hosts that refuse their way back and stay as they are.
    ``away`` are hosts that answer at their second try only, ``raises`` and ``hangs`` those whose
    first step does so; ``look`` and ``fetch`` raise at the first of these, the name of a step at
    that. After the step ``cut`` a host's state is unknown."""

    def __init__(
        self,
        directory: Path,
        *,
        fails: dict[str, str] | None = None,
        suspects: tuple[str, ...] = (),
        alerts: tuple[str, ...] = (),
        away: tuple[str, ...] = (),
        refuses: tuple[str, ...] = (),
        stop_at: str = "",
        raises: str = "",
        cut: str = "",
        hangs: str = "",
        freeze_within: AbstractContextManager[Any] | None = None,
    ) -> None:
        self.directory = directory
        self.fails = fails or {}
        self.suspects = suspects
        self.alerts = alerts
        self.away = away
        self.refuses = refuses
        self.stop_at = stop_at
        self.raises = raises
        self.cut = cut
        self.hangs = hangs
        self.freeze_within = freeze_within or nullcontext()
        self.begun: list[str] = []
        self.released: list[str] = []
        self.outcomes: list[str] = []
        self.looks: list[str] = []
        self.fetched: list[str] = []

    async def run(self, work: HostWork, step: Step, fence: int) -> StepReport:
        self.begun.append(work.id)
        if work.outcome:
            self.outcomes.append(work.outcome)
        if self.raises in (work.host, step.value):
            raise RuntimeError("a defect of the runner")
        if work.host == self.hangs:
            await asyncio.Event().wait()
        self._stop(step, "before")
        if self._stop_now(step, "freeze"):
            self._freeze()
        verdict, reason = Verdict.PASS, ""
        if work.host in self.away and not work.attempt:
            return StepReport(
                host=work.host,
                step=step,
                verdict=Verdict.INCONCLUSIVE,
                started_at=datetime.now(UTC),
                seconds=0.0,
                reason="no answer",
                unreachable=True,
            )
        if not self.carry_out(work, step, fence):
            verdict, reason = Verdict.FAIL, "the host refused a lower fence"
        elif self.fails.get(work.host) == step.value:
            verdict, reason = Verdict.FAIL, f"{step.value} was told to fail"
        elif self.cut == step.value:
            verdict, reason = Verdict.INCONCLUSIVE, "the connection was cut"
        refused = work.host in self.refuses and work.way_back
        if refused and step in (Step.ROLL_BACK, Step.VERIFY_ROLL_BACK):
            verdict, reason = Verdict.FAIL, "nginx is now 3"
        await asyncio.sleep(0)
        self._stop(step, "after")
        return StepReport(
            host=work.host,
            step=step,
            verdict=verdict,
            started_at=datetime.now(UTC),
            seconds=0.0,
            reason=reason,
            changed_host=step in _CHANGING and not refused,
            suspects=self.suspects if verdict is Verdict.FAIL else (),
        )

    async def look(self, work: LookWork) -> Look:
        self.looks.append(work.id)
        if self.raises == "look":
            raise RuntimeError("a defect of the runner")
        if self._stop_now("look", str(work.number)):
            os.kill(os.getpid(), signal.SIGKILL)
        return Look(work.wave, work.number, datetime.now(UTC), alerts=self.alerts)

    async def fetch(self, work: FetchWork, fence: int) -> StepReport:
        self.fetched.append(work.host)
        if self.raises == "fetch":
            raise RuntimeError("a defect of the runner")
        self._stop(Step.FETCH, "before")
        accepted = self.carry_out(work, Step.FETCH, fence)
        failed = not accepted or self.fails.get(work.host) == Step.FETCH.value
        return StepReport(
            host=work.host,
            step=Step.FETCH,
            verdict=Verdict.FAIL if failed else Verdict.PASS,
            started_at=datetime.now(UTC),
            seconds=0.0,
            reason="the archive is away" if failed else "",
        )

    async def release(self, work: HostWork) -> None:
        self.released.append(work.id)

    def carry_out(self, work: HostWork | FetchWork, step: Step, fence: int) -> bool:
        """The host's side: under its lock, fences compared, each transaction done once."""
        path = self.directory / f"{work.host}.json"
        with path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            record = json.loads(
                file.read() or '{"fence": 0, "done": [], "asked": [], "refused": []}'
            )
            accepted = bool(fence >= record["fence"])
            transaction = f"{work.id}:{step.value}"
            record["asked"].append(transaction)
            if not accepted:
                record["refused"].append(transaction)
            else:
                record["fence"] = fence
                if transaction not in record["done"]:
                    record["done"].append(transaction)
            file.truncate(0)
            file.write(json.dumps(record))
        self._stop(step, "amid")
        return accepted

    def record(self, host: str) -> dict[str, Any]:
        path = self.directory / f"{host}.json"
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def _stop_now(self, step: str, when: str) -> bool:
        if self.stop_at != f"{step}:{when}":
            return False
        try:
            (self.directory / "stopped").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _freeze(self) -> None:
        """Not in the middle of another thread's transaction: SQLite would stay locked."""
        with self.freeze_within:
            os.kill(os.getpid(), signal.SIGSTOP)
            # The signal may reach this thread a little later; until then it must not go on.
            time.sleep(1)

    def _stop(self, step: Step, when: str) -> None:
        if self._stop_now(step, when):
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    database, directory, rollout, *stop_at = sys.argv[1:]
    store = open_store(database)
    runner = PretendRunner(
        Path(directory), stop_at=stop_at[0] if stop_at else "", freeze_within=store._turn
    )
    with driving(store, runner, at_once=8, rollout=rollout) as driver:
        driver.drive(rollout, on_event=lambda event: None, on_tick=lambda tick: None)


if __name__ == "__main__":
    main()
