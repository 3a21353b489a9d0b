"""The work on one host, and whoever carries out its steps."""

from __future__ import annotations

from typing import Protocol

from msgspec import UNSET, UnsetType

from suture.core.documents import Document
from suture.core.evidence import Step, StepReport
from suture.core.rollout.progress import HostPhase, HostState
from suture.core.rollout.ways_back import WayBack
from suture.hosts.patching import SEQUENCE
from suture.hosts.patching import WAY_BACK as WAY_BACK_SEQUENCE

PATCHING = tuple(step for step, _ in SEQUENCE)
WAY_BACK = tuple(step for step, _ in WAY_BACK_SEQUENCE)


class HostWork(Document, frozen=True):
    """One host's part of a rollout, there or back; ``how`` where a person asked for it."""

    rollout: str
    host: str
    attempt: int
    way_back: bool
    how: WayBack | UnsetType = UNSET

    @property
    def id(self) -> str:
        """The workflow's id: the same work is never enqueued twice."""
        direction = "back" if self.way_back else "patch"
        return f"{self.rollout}:{self.host}:{self.attempt}:{direction}"

    @property
    def steps(self) -> tuple[Step, ...]:
        return WAY_BACK if self.way_back else PATCHING

    @property
    def phase(self) -> HostPhase:
        """The phase of a host for as long as this is being done."""
        return HostPhase.ROLLING_BACK if self.way_back else HostPhase.PATCHING

    @classmethod
    def of(cls, rollout: str, host: HostState) -> HostWork:
        """What a host is at, by its state."""
        way_back = host.phase is HostPhase.ROLLING_BACK
        return cls(rollout, host.host, host.attempt, way_back, host.way_back)

    def is_current(self, host: HostState) -> bool:
        return host.phase is self.phase and host.attempt == self.attempt


class StepRunner(Protocol):
    """Does the steps; called on the engine's event loop, many hosts at once."""

    async def run(self, work: HostWork, step: Step, fence: int) -> StepReport:
        """Do one step, or report it where it was done. Expected failures are in the report."""
        ...

    async def release(self, work: HostWork) -> None:
        """The work has ended or was given up: close what was kept open between its steps."""
        ...
