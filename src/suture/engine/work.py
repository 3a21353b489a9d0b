"""The work on one host, and whoever carries out its steps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, runtime_checkable

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from suture.core.documents import Document
from suture.core.evidence import Step, StepReport
from suture.core.planning.hooks import PHASE_OF, hook_steps
from suture.core.planning.plan import OnFailure, Plan
from suture.core.rollout.gates import Look
from suture.core.rollout.state import HostPhase, HostState
from suture.core.rollout.ways_back import WayBack
from suture.hosts.patching import SEQUENCE
from suture.hosts.patching import WAY_BACK as WAY_BACK_SEQUENCE

PATCHING = tuple(step for step, _ in SEQUENCE)
WAY_BACK = tuple(step for step, _ in WAY_BACK_SEQUENCE)

_BUNDLED = PATCHING.index(Step.BUNDLE) + 1
_WITH_HOOKS = (*PATCHING[:_BUNDLED], Step.BEFORE, Step.DRAIN, *PATCHING[_BUNDLED:], Step.AFTER)
_BACK_WITH_HOOKS = (Step.DRAIN_ROLL_BACK, *WAY_BACK)


class HostWork(Document, frozen=True):
    """One host's part of a rollout, there or back; ``how`` where a person asked for it. ``hooks``
    are the steps that it has besides the usual ones. Where it ``returns``, a host that fails is
    taken back without being asked for; ``outcome`` is how it ended, for what follows that. Where
    it ``stood`` is the phase to go back to from a way back that changed nothing."""

    rollout: str
    host: str
    attempt: int
    way_back: bool
    how: WayBack | UnsetType = UNSET
    hooks: tuple[Step, ...] = ()
    returns: bool = True
    outcome: str = ""
    stood: HostPhase | UnsetType = UNSET

    @property
    def id(self) -> str:
        """The workflow's id: the same work is never enqueued twice."""
        direction = "back" if self.way_back else "patch"
        return f"{self.rollout}:{self.host}:{self.attempt}:{direction}"

    @property
    def steps(self) -> tuple[Step, ...]:
        every = _BACK_WITH_HOOKS if self.way_back else _WITH_HOOKS
        return tuple(step for step in every if step not in PHASE_OF or step in self.hooks)

    def undrain(self, begun: Collection[Step], phase: HostPhase) -> Step | None:
        """The step that puts back what was drained, whatever became of it. A host that is about
        to be taken back stays drained until then, and one of unknown state until somebody knows."""
        drain, undrain = self._drain
        returns = self.returns and not self.way_back
        stays = phase is HostPhase.LOST or (phase is HostPhase.FAILED and returns)
        return undrain if drain in begun and undrain in self.hooks and not stays else None

    def is_drained(self, reported: Collection[Step]) -> bool | None:
        """Whether work that went no further than these steps left the host drained; None where
        it is not known: the drain was to come next."""
        drain, undrain = self._drain
        if drain not in self.hooks or undrain in reported:
            return False
        if drain in reported:
            return True
        before = self.steps[: self.steps.index(drain)]
        return None if all(step in reported for step in before) else False

    @property
    def _drain(self) -> tuple[Step, Step]:
        if self.way_back:
            return Step.DRAIN_ROLL_BACK, Step.UNDRAIN_ROLL_BACK
        return Step.DRAIN, Step.UNDRAIN

    @property
    def phase(self) -> HostPhase:
        """The phase of a host for as long as this is being done."""
        return HostPhase.ROLLING_BACK if self.way_back else HostPhase.PATCHING

    @classmethod
    def of(cls, rollout: str, host: HostState, plan: Plan | None = None) -> HostWork:
        """What a host is at, by its state; without its plan, to be known again only."""
        way_back = host.phase is HostPhase.ROLLING_BACK
        stood = host.stood.phase if host.stood else UNSET
        work = cls(rollout, host.host, host.attempt, way_back, host.way_back, stood=stood)
        if plan is None or not plan.host(host.host).hooks:
            return work
        action = plan.on_failure(plan.waves[plan.wave_of[host.host]])
        hooks = hook_steps(plan.host(host.host).hooks)
        return replace(work, hooks=hooks, returns=action is not OnFailure.PAUSE)

    def is_current(self, host: HostState) -> bool:
        return host.phase is self.phase and host.attempt == self.attempt


class LookWork(Document, frozen=True):
    """One look at a wave, of those that its gate asks for."""

    rollout: str
    wave: int
    number: int

    @property
    def id(self) -> str:
        return f"{self.rollout}:gate:{self.wave}:{self.number}"


class FetchWork(Document, frozen=True):
    """Bringing its packages to one host ahead of its start."""

    rollout: str
    host: str

    @property
    def id(self) -> str:
        return f"{self.rollout}:{self.host}:fetch"


@runtime_checkable
class Fetcher(Protocol):
    """A runner of steps that can bring packages to hosts ahead of time as well."""

    async def fetch(self, work: FetchWork, fence: int) -> StepReport:
        """Expected failures are in the report."""
        ...


@runtime_checkable
class Looker(Protocol):
    """A runner of steps that can look at waves as well."""

    async def look(self, work: LookWork) -> Look:
        """Expected failures are in the answer."""
        ...


class StepRunner(Protocol):
    """Does the steps; called on the engine's event loop, many hosts at once."""

    async def run(self, work: HostWork, step: Step, fence: int) -> StepReport:
        """Do one step, or report it where it was done. Expected failures are in the report."""
        ...

    async def release(self, work: HostWork) -> None:
        """The work has ended or was given up: close what was kept open between its steps."""
        ...
