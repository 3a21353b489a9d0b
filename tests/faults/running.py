"""Telling a story: controllers live and die, operators speak, until the rollout is over."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from suture.core.rollout.state import HostPhase, RolloutState, RolloutStatus, Signal
from suture.services import evidence, plans, rollouts
from suture.services.errors import RefusedError
from suture.services.workspace import Workspace
from suture.store.database import open_store
from suture.store.errors import StoreError
from suture.store.rollouts import StoredRollout
from tests.faults import fleet, invariants
from tests.faults.controller import GAVE_UP, Orders
from tests.faults.databases import Database
from tests.faults.fleet import PretendFleet
from tests.faults.invariants import Acknowledged
from tests.faults.records import Record
from tests.faults.stories import Story
from tests.faults.zygote import Child, Zygote

LONGEST_S = 120.0


class Operators:
    """People who say things, and what they were told: each word has its answer or its error."""

    def __init__(self, workspace: Workspace, rollout: str, pretend: PretendFleet) -> None:
        self.acknowledged: list[Acknowledged] = []
        self._workspace = workspace
        self._rollout = rollout
        self._record = pretend.record
        self._lock = threading.Lock()
        self._resuming = 0
        self._open: list[Acknowledged] = []

    def say(self, operator: str, word: Signal) -> StoredRollout | None:
        """None where it was refused, or nobody knows."""
        resumes = word is Signal.RESUME
        with self._lock:
            if resumes:
                self._resuming += 1
                self._close()
        try:
            told = rollouts.say(self._workspace, self._rollout, word, actor=operator, reason="")
        except RefusedError:
            told = None
        except StoreError:
            return None  # a resume that nobody answered may still be heard: it stays counted
        with self._lock:
            if resumes:
                self._resuming -= 1
                self._close()
            elif told is not None and not self._resuming:
                self._hold(word, told.state)
        return told

    def _hold(self, word: Signal, state: RolloutState) -> None:
        if state.status in (RolloutStatus.PAUSED, RolloutStatus.ABORTED):
            at_work = tuple(host.host for host in state.hosts if host.phase.is_at_work)
            fetching = tuple(h.host for h in state.hosts if h.phase is HostPhase.FETCHING)
            after = self._record.head
            self._open.append(Acknowledged(after, after, at_work, word.value, fetching))

    def _close(self) -> None:
        for one in self._open:
            until = self._record.head
            self.acknowledged.append(replace(one, until=until))
        self._open.clear()

    def leave(self) -> None:
        with self._lock:
            self._close()


@dataclass
class _Life:
    """A controller, and when it is woken where it is frozen for ``freeze_s``."""

    child: Child
    freeze_s: float
    wake_at: float | None = None

    def is_due(self) -> bool:
        if not self.child.frozen:
            return False
        now = time.monotonic()
        if self.wake_at is None:
            self.wake_at = now + self.freeze_s
        if now < self.wake_at:
            return False
        self.wake_at = None
        return True


class Run:
    """One telling of a story, and afterwards what came of it."""

    def __init__(
        self, story: Story, database: Database, zygote: Zygote, directory: Path, mutant: str = ""
    ) -> None:
        self.story = story
        self.trouble: list[str] = []
        self._database = database
        self._zygote = zygote
        self._socket = directory / "hosts"
        self._log = directory / "log"
        self._mutant = mutant
        self._lives: list[_Life] = []
        self.record = Record()
        self._born = 0
        self._heard = len(zygote.said)
        self._answers = 0
        self._url = database.fresh(directory)
        self.workspace = Workspace(directory, self._url)

    def tell(self) -> None:
        """To its end; what broke an invariant is in ``trouble``."""
        store = open_store(self._url)
        plans.save(store, self.story.plan, "kim")
        store.close()
        self._rollout, _ = rollouts.start(
            self.workspace, self.story.plan.id, actor="kim", without_rehearsal=True
        )
        with fleet.running(self._socket, self.story.flaws, self.story.network) as pretend:
            self.record = pretend.record
            self.operators = Operators(self.workspace, self._rollout, pretend)
            others = [
                threading.Thread(target=self._noting, args=(act,), daemon=True)
                for act in (self._cause_outages, *self._people())
            ]
            for thread in others:
                thread.start()
            try:
                self._control(others)
            finally:
                for life in self._lives:
                    self._zygote.kill(life.child)
                for thread in others:
                    thread.join(60)
            self.operators.leave()
            self._judge(pretend)
        self._database.drop(self._url)

    def explain(self) -> str:
        """All that is known, for whoever has to find out."""
        story = msgspec.json.format(msgspec.json.encode(self.story), indent=1).decode()
        entries = "\n".join(str(entry) for entry in self.record.entries)
        log = self._log.read_text(errors="replace") if self._log.exists() else ""
        said = self._zygote.said[self._heard :]
        return "\n".join([*self.trouble, story, entries, log, *said])

    def _noting(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception:
            self.trouble.append(traceback.format_exc())

    def _control(self, others: list[threading.Thread]) -> None:
        """Keep controllers alive until the rollout is over and all have ended by themselves."""
        deadline = time.monotonic() + LONGEST_S
        is_over = False
        while not (is_over and not self._lives):
            if time.monotonic() > deadline:
                self.trouble.append(f"did not come to an end within {LONGEST_S:g} s")
                return
            settled = self._look_after_children()
            if settled:
                is_over = self._is_over_or_goes_on()
            while not is_over and len(self._lives) < self.story.controllers:
                self._bear()
            time.sleep(0.03)

    def _bear(self) -> None:
        faults = self.story.processes[self._born : self._born + 1]
        orders = Orders(
            self._url,
            str(self._log),
            self._rollout,
            str(self._socket),
            faults=faults[0] if faults else (),
            mutant=self._mutant,
        )
        self._born += 1
        frozen_s = [fault.seconds for fault in orders.faults if fault.kind == "freeze"]
        self._lives.append(_Life(self._zygote.fork(orders), max(frozen_s, default=0.0)))

    def _look_after_children(self) -> bool:
        """Wake the frozen, bury the dead; whether one found the rollout settled."""
        settled = False
        for life in list(self._lives):
            if life.is_due():
                self._zygote.wake(life.child)
            status = life.child.status
            if status is not None:
                self._lives.remove(life)
                settled = settled or status == 0
                if status not in (0, GAVE_UP, -signal.SIGKILL):
                    self.trouble.append(f"a controller ended with status {status}")
        return settled

    def _is_over_or_goes_on(self) -> bool:
        """Whether the rollout is over; where it waits for a person, one answers."""
        try:
            seen = rollouts.view(self.workspace, self._rollout).rollout
        except StoreError:
            return False
        busy = (host.phase for host in seen.state.hosts)
        if any(phase.is_at_work or phase is HostPhase.FETCHING for phase in busy):
            return False
        if seen.is_over:
            return True
        self._answers += 1
        if self._answers > self.story.patience:
            self.operators.say("kim", Signal.ABORT)
        elif seen.state.status is RolloutStatus.PAUSED:
            self.operators.say("kim", Signal.RESUME)
        else:
            self.operators.say("kim", Signal.APPROVE)
        return False

    def _cause_outages(self) -> None:
        began = time.monotonic()
        for outage in sorted(self.story.outages, key=lambda one: one.at_s):
            time.sleep(max(0.0, began + outage.at_s - time.monotonic()))
            if outage.kind == "database":
                self._database.stop(self._url, outage.for_s)
            else:
                self._database.fill(self._url, outage.for_s, self._children)

    def _children(self) -> list[Child]:
        return [life.child for life in self._lives]

    def _people(self) -> Iterator[Callable[[], None]]:
        for name in sorted({said.operator for said in self.story.says}):
            yield partial(self._speak, name)

    def _speak(self, operator: str) -> None:
        began = time.monotonic()
        for said in self.story.says:
            if said.operator == operator:
                time.sleep(max(0.0, began + said.at_s - time.monotonic()))
                self.operators.say(operator, said.signal)

    def _judge(self, pretend: PretendFleet) -> None:
        record = pretend.record
        state = rollouts.view(self.workspace, self._rollout).rollout.state
        self.trouble += [
            *invariants.once(record),
            *invariants.way_back_first(record),
            *invariants.within_limits(record, self.story.plan),
            *invariants.quiet(record, self.operators.acknowledged),
            *invariants.truthful(record, state, pretend.hosts),
        ]
        verdict = evidence.verify(self.workspace)
        if not verdict.is_whole:
            self.trouble.append(f"the event log is not whole: {verdict}")
