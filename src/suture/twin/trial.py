"""Load before and after, in alternation with the steps of a rehearsal.

A rehearsal goes there and back anyway, so load before, with and after the patch costs no more
than its own time. Only where that tells nothing is the patch applied a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from suture.core.evidence import Verdict
from suture.core.performance import ALTERNATIONS, Performance, Stretch, assess
from suture.core.planning.plan import HostPlan
from suture.twin.load import FROM_CHECKS, LoadError, Loading, LoadSettings, load_of
from suture.twin.machine import Twin


@dataclass
class Trial:
    """One patch set under load on one twin; :meth:`take` it in every state."""

    loading: Loading
    min_effect: float
    on_stage: Callable[[str], None]
    _stretches: list[Stretch] = field(default_factory=list)
    _failure: str = ""

    async def take(self, *, patched: bool) -> None:
        """One stretch of load. Raises HostError; a load that does not run is a verdict."""
        if self._failure:
            return
        self.on_stage(f"load {'with' if patched else 'without'} the patch: {self.loading.load}")
        try:
            self._stretches.append(await self.loading.stretch(patched=patched))
        except LoadError as error:
            self._failure = str(error)

    def performance(self) -> Performance:
        """The verdict on what was taken so far."""
        load = self.loading.load
        if self._failure:
            return Performance(load, Verdict.INCONCLUSIVE, self._failure, alternations=0)
        return assess(load, self._stretches, min_effect=self.min_effect)

    @property
    def wants_more(self) -> bool:
        """Whether another alternation may tell what the last did not."""
        found = self.performance()
        return (
            found.verdict is Verdict.INCONCLUSIVE
            and bool(found.judgements)
            and found.alternations < ALTERNATIONS
        )


def make_trial(
    settings: LoadSettings | None, plan: HostPlan, twin: Twin, on_stage: Callable[[str], None]
) -> Trial | None:
    """None where the policy asks for no load, or, which is said, the host has nothing to load."""
    load = load_of(settings, plan.checks)
    if settings is None or load is None:
        if settings is not None and settings.load == FROM_CHECKS:
            on_stage("nothing to load: no health check is an HTTP or a command check")
        return None
    loading = Loading(twin, load, settings.seconds, plan.restarts)
    return Trial(loading, settings.min_effect, on_stage)
