"""The steps of a rollout on real hosts: sessions that the engine asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from suture.core.evidence import Step, StepReport
from suture.core.inventory import Host
from suture.core.planning.hooks import PHASE_OF
from suture.core.planning.plan import Plan
from suture.core.policy import Policy
from suture.core.rollout.ways_back import WayBack, narrowed
from suture.engine.work import HostWork
from suture.hosts.hooks import run_hooks
from suture.hosts.patching import SEQUENCE, WAY_BACK, PatchSession, PatchSettings
from suture.hosts.transport import FailureKind, HostError, HostFailure, Transport
from suture.hosts.transport.connector import Connector
from suture.services.collecting import clock

STEPS = dict((*SEQUENCE, *WAY_BACK))


def patch_settings(policy: Policy) -> PatchSettings:
    """The steps' limits, as the policy sets them."""
    return PatchSettings(
        lock_wait_s=policy.preflight.lock_wait_s,
        clock_skew_s=float(policy.preflight.max_clock_skew_s),
        min_free_mib=tuple(sorted(policy.preflight.min_free_mb.items())),
        pause_updaters=policy.preflight.pause_updaters,
    )


class FleetRunner:
    """Does the engine's steps; a host's session stays open from its first step to its last.

    ``plan_of`` is rollout id → plan.
    """

    def __init__(
        self,
        ways: Connector,
        hosts: Mapping[str, Host],
        plan_of: Callable[[str], Plan],
        settings: PatchSettings,
    ) -> None:
        self._ways = ways
        self._hosts = hosts
        self._plan_of = plan_of
        self._settings = settings
        self._sessions: dict[str, PatchSession] = {}

    async def run(self, work: HostWork, step: Step, fence: int) -> StepReport:
        session = self._sessions.get(work.id)
        if session is None:
            how = work.how or None
            session = self.session(work.rollout, work.host, attempt=work.attempt, how=how)
            self._sessions[work.id] = session
        session.fence = fence
        if step in PHASE_OF:
            return await run_hooks(session, step, self._variables(work))
        return await STEPS[step](session)

    def _variables(self, work: HostWork) -> dict[str, str]:
        """What a hook learns about its host."""
        plan, host = self._plan_of(work.rollout), self._hosts.get(work.host)
        planned = plan.host(work.host)
        return {
            "SUTURE_HOST": work.host,
            "SUTURE_ADDRESS": host.address if host else "",
            "SUTURE_SERVICE": planned.service or "",
            "SUTURE_ROLLOUT": work.rollout,
            "SUTURE_RING": planned.ring,
            "SUTURE_WAVE": str(plan.wave_of[work.host] + 1),
            "SUTURE_DIRECTION": "roll-back" if work.way_back else "patch",
            "SUTURE_OUTCOME": work.outcome,
        }

    async def release(self, work: HostWork) -> None:
        session = self._sessions.pop(work.id, None)
        if session is not None:
            await session.close()

    def session(
        self, rollout: str, host: str, *, attempt: int = 0, how: WayBack | None = None
    ) -> PatchSession:
        """A way to the host under the rollout's plan, opened when it is first needed.

        Transactions are the rollout's, not the plan's: a second rollout of the same plan does its
        work anew and does not read the first one's results.
        """

        def connect() -> AbstractAsyncContextManager[Transport]:
            enrolled = self._hosts.get(host)
            if enrolled is None:
                raise HostError(
                    HostFailure(
                        host=host,
                        kind=FailureKind.UNREACHABLE,
                        message="it is not enrolled any more",
                        remedy="Enrol it again: suture hosts add.",
                    )
                )
            return self._ways.connect(enrolled)

        plan = self._plan_of(rollout).host(host)
        return PatchSession(
            plan=narrowed(plan, how.sources) if how else plan,
            plan_id=rollout,
            connect=connect,
            now=clock,
            attempt=attempt,
            settings=self._settings,
            way_back=how,
        )
