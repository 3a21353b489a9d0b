"""The steps of a rollout on real hosts: sessions that the engine asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from msgspec.structs import replace

from suture.core.backups import Retention
from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.inventory import Host
from suture.core.planning.hooks import PHASE_OF
from suture.core.planning.plan import Plan
from suture.core.policies.backup import SnapshotHookPolicy
from suture.core.policy import Policy, matches
from suture.core.rollout.gates import Look
from suture.core.rollout.ways_back import WayBack, narrowed
from suture.core.words import seconds, size_bytes
from suture.engine.work import FetchWork, HostWork, LookWork
from suture.hosts.acquire import fetch
from suture.hosts.hooks import run_hooks
from suture.hosts.patching import SEQUENCE, WAY_BACK, PatchSession, PatchSettings
from suture.hosts.transport import FailureKind, HostError, HostFailure, Transport
from suture.hosts.transport.connector import Connector
from suture.services import looking, snapshot_hook
from suture.services.collecting import clock

STEPS = dict((*SEQUENCE, *WAY_BACK))


def patch_settings(policy: Policy) -> PatchSettings:
    """The steps' limits, as the policy sets them."""
    return PatchSettings(
        lock_wait_s=policy.preflight.lock_wait_s,
        clock_skew_s=float(policy.preflight.max_clock_skew_s),
        min_free_mib=tuple(sorted(policy.preflight.min_free_mb.items())),
        pause_updaters=policy.preflight.pause_updaters,
        retention=retention(policy),
    )


def retention(policy: Policy) -> Retention:
    """How long hosts keep return bundles."""
    kept = policy.backup
    return Retention(int(seconds(kept.keep)), kept.keep_last, size_bytes(kept.max_disk))


def _nothing_protected(host: str) -> tuple[str, ...]:
    return ()


class FleetRunner:
    """Does the engine's steps; a host's session stays open from its first step to its last.

    ``plan_of`` is rollout id → plan, ``protected_on`` host → rollouts whose return bundles stay.
    """

    def __init__(
        self,
        ways: Connector,
        hosts: Mapping[str, Host],
        plan_of: Callable[[str], Plan],
        settings: PatchSettings,
        protected_on: Callable[[str], tuple[str, ...]] = _nothing_protected,
        hooks: Sequence[SnapshotHookPolicy] = (),
    ) -> None:
        self._ways = ways
        self._hosts = hosts
        self._plan_of = plan_of
        self._settings = settings
        self._protected_on = protected_on
        self._hooks = hooks
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
        hook = self.hook(work.host)
        if step is Step.ROLL_BACK and hook and work.how and work.how.machine_snapshot:
            return await self._restore(hook, session, work.how.machine_snapshot)
        report = await STEPS[step](session)
        if step is Step.BUNDLE and hook and report.verdict is Verdict.PASS:
            report = await snapshot_hook.take(hook, self._hosts[work.host], work.rollout, report)
        return report

    def hook(self, host: str) -> SnapshotHookPolicy | None:
        """What takes snapshots of the whole machine, None where nothing does."""
        enrolled = self._hosts.get(host)
        found = (hook for hook in self._hooks if enrolled and matches(enrolled, hook.on))
        return next(found, None)

    async def _restore(
        self, hook: SnapshotHookPolicy, session: PatchSession, snapshot: str
    ) -> StepReport:
        """The whole machine back to its snapshot, and time for it to come up."""
        began = clock()
        await session.close()
        host = self._hosts[session.host]
        problem = await snapshot_hook.restore(hook, host, session.plan_id, snapshot)
        session.settings = replace(session.settings, reconnect_s=session.settings.reboot_s)
        return StepReport(
            host=session.host,
            step=Step.ROLL_BACK,
            verdict=Verdict.FAIL if problem else Verdict.PASS,
            started_at=began,
            seconds=round((clock() - began).total_seconds(), 3),
            reason=f"snapshot {snapshot} was not restored: {problem}" if problem else "",
            changed_host=True,
            checks=() if problem else (Check(snapshot_hook.CHECK, Verdict.PASS, snapshot),),
        )

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

    async def look(self, work: LookWork) -> Look:
        """One look at a wave, for its gate."""
        plan = self._plan_of(work.rollout)
        return await looking.look(self._ways, self._hosts, plan, work.wave, work.number)

    async def fetch(self, work: FetchWork, fence: int) -> StepReport:
        """Bring its packages to a host ahead of its start."""
        async with self.session(work.rollout, work.host) as session:
            session.fence = fence
            return await fetch(session)

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

        whole = self._plan_of(rollout)
        plan = whole.host(host)
        return PatchSession(
            plan=narrowed(plan, how.sources) if how else plan,
            plan_id=rollout,
            connect=connect,
            now=clock,
            attempt=attempt,
            settings=self._settings,
            way_back=how,
            protected=self._protected_on(host),
            fetches_ahead=bool(whole.predownload_s),
        )
