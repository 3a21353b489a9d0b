"""The rehearsal: a host's patch set and controls on its twin, there and back.

The steps are the ones that the host itself will see, from the same functions and the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from suture.core.documents import Document, digest
from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.performance import Performance
from suture.core.planning.inputs import Inputs
from suture.core.planning.plan import HostPlan
from suture.core.policies.rehearsing import RealReboot
from suture.core.suites import Suite
from suture.hosts.patching import SEQUENCE, WAY_BACK, Connect, PatchSession, PatchSettings
from suture.hosts.steps import conclude
from suture.hosts.transport import HostError
from suture.twin.baseline import ask_baseline, sound_checks
from suture.twin.clone import Clone
from suture.twin.containers import ContainerError
from suture.twin.load import LoadSettings
from suture.twin.machine import Twin, Twins
from suture.twin.package_files import PackageFilesError, make_ready, provide_packages
from suture.twin.real_reboot import (
    MACHINE_SETTINGS,
    RealBoot,
    boot_for_real,
    is_kernel,
    wants_machine,
)
from suture.twin.regression import Regression, Snapshot, judge_patched, judge_returned, reopened
from suture.twin.suites import SuiteTrial
from suture.twin.suspects import harm, narrow
from suture.twin.trial import Trial, make_trial
from suture.twin.watching import Watching

_PATCHING = (Step.APPLY, Step.RESTART, Step.REBOOT, Step.VERIFY)
_BISECT_TRIES = 8
_SETTINGS = PatchSettings(reconnect_s=60, lock_wait_s=30, reboot_s=180, own_kernel=False)


class Rehearsal(Document, frozen=True):
    """What became of a class's patch set on its twin; kept with the plan.

    ``suspects`` are source packages. ``baseline`` has the health checks as they were before the
    patch: one that fails there already, because its data was left out, is INCONCLUSIVE and not
    counted against the patch. ``reports`` are the steps of the whole patch set, the way back
    included, twice where load was to tell more; ``console`` is the end of what the twin's console
    showed. ``performance`` is None where there was no load, or the steps failed.
    ``inputs`` are what it rests on, None in what an older version recorded. ``regression`` has
    what became of that which earlier rollouts had achieved. ``real_boot`` is what a virtual machine
    made of a patch that needs a reboot, None where none is expected or all else failed already.
    ``suites`` are the tests of the organisation's own suites in each state of the twin.
    """

    plan: str
    class_id: str
    host: str
    verdict: Verdict
    reason: str
    started_at: datetime
    seconds: float
    suspects: tuple[str, ...] = ()
    baseline: tuple[Check, ...] = ()
    reports: tuple[StepReport, ...] = ()
    console: str = ""
    performance: Performance | None = None
    inputs: Inputs | None = None
    regression: tuple[Check, ...] = ()
    real_boot: RealBoot | None = None
    suites: tuple[Check, ...] = ()


@dataclass
class _Run:
    """One boot of a twin with one patch set, as far as it got."""

    baseline: tuple[Check, ...] = ()
    reports: list[StepReport] = field(default_factory=list)
    verdict: Verdict = Verdict.INCONCLUSIVE
    reason: str = ""
    console: str = ""
    performance: Performance | None = None
    regression: tuple[Check, ...] = ()
    reopened: tuple[str, ...] = ()
    suites: SuiteTrial = field(default_factory=SuiteTrial)

    @property
    def suspects(self) -> tuple[str, ...]:
        named = {name for report in self.reports for name in report.suspects}
        return tuple(sorted({*named, *self.reopened}))

    def worsen(self, verdict: Verdict, reason: str) -> None:
        """Where all went well so far."""
        if verdict is not Verdict.PASS and self.verdict is Verdict.PASS:
            self.verdict, self.reason = verdict, reason


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Rehearser:
    """Rehearses on twins of ``clone``; ``packages`` holds the files of the patch set. ``before`` is
    a script that makes a twin ready, with these files in its cache."""

    twins: Twins
    clone: Clone
    packages: Path
    now: Callable[[], datetime] = _now
    settings: PatchSettings = _SETTINGS
    load: LoadSettings | None = None
    regression: Regression | None = None
    real_reboot: RealReboot = RealReboot.NEVER
    suites: tuple[Suite, ...] = ()
    bisect_tries: int = _BISECT_TRIES
    before: str = ""
    watching: Watching = field(default_factory=Watching)

    async def rehearse(self, plan_id: str, plan: HostPlan) -> Rehearsal:
        """Patch, check, take back, check again. Expected failures are verdicts."""
        started_at, began = self.now(), time.monotonic()
        run = await self._run(plan_id, plan, whole=True)
        suspects: tuple[str, ...] = ()
        if run.verdict is Verdict.FAIL:
            suspects = run.suspects or await self._bisect(plan_id, plan, run)
        real_boot = None
        if run.verdict is Verdict.PASS and wants_machine(plan, self.real_reboot):
            real_boot = await boot_for_real(
                self.twins,
                self.clone,
                self.packages,
                lambda connect: self._session(connect, plan_id, plan, MACHINE_SETTINGS),
                plan,
                self.real_reboot,
                self.suites,
                self.watching,
            )
            run.worsen(real_boot.verdict, f"on a virtual machine: {real_boot.reason}")
            if real_boot.verdict is Verdict.FAIL:
                suspects = tuple(
                    sorted({one.source for one in plan.changes if is_kernel(one.package)})
                )
        told = self._told(plan_id, plan, run, suspects, started_at, time.monotonic() - began)
        return msgspec.structs.replace(told, real_boot=real_boot)

    async def there_and_back(self, plan_id: str, plan: HostPlan) -> Rehearsal:
        """The same without looking for who is to blame."""
        started_at, began = self.now(), time.monotonic()
        run = await self._run(plan_id, plan, whole=True)
        return self._told(plan_id, plan, run, (), started_at, time.monotonic() - began)

    def _told(
        self,
        plan_id: str,
        plan: HostPlan,
        run: _Run,
        suspects: tuple[str, ...],
        started_at: datetime,
        seconds: float,
    ) -> Rehearsal:
        return Rehearsal(
            plan=plan_id,
            class_id=plan.class_id,
            host=self.clone.host,
            verdict=run.verdict,
            reason=run.reason,
            started_at=started_at,
            seconds=round(seconds, 1),
            suspects=suspects,
            baseline=run.baseline,
            reports=tuple(run.reports),
            console=run.console,
            performance=run.performance,
            regression=run.regression,
            suites=run.suites.checks,
        )

    async def _run(self, plan_id: str, plan: HostPlan, *, whole: bool) -> _Run:
        run = _Run()
        try:
            self.watching.on_stage("booting the twin")
            async with self.twins.boot(self.clone, self.packages) as twin:
                try:
                    await self._run_on(twin, plan_id, plan, run, whole=whole)
                finally:
                    run.console = twin.console
        except ContainerError as error:
            run.reason, run.console = f"the twin does not boot: {error}", error.console
        except PackageFilesError as error:
            run.reason = str(error)
        except HostError as error:
            run.verdict = Verdict.INCONCLUSIVE
            run.reason = f"the twin could not be worked with: {error.failure.message}"
        return run

    async def _run_on(
        self, twin: Twin, plan_id: str, plan: HostPlan, run: _Run, *, whole: bool
    ) -> None:
        session = self._session(twin.connect, plan_id, plan, self.settings)
        try:
            async with twin.connect() as way:
                await provide_packages(way)
                if self.before:
                    await make_ready(way, self.before)
            self.watching.on_stage("checking the twin before the patch")
            run.baseline = await ask_baseline(session)
            sound = sound_checks(plan.checks, run.baseline)
            if plan.checks and not sound:
                run.reason = (
                    "none of the health checks passes on the twin before the patch, so it proves "
                    f"nothing: {run.baseline[0].name}: {run.baseline[0].detail}; leave less out "
                    "(twin.exclude), or write checks that need no data"
                )
                return
            run.suites = SuiteTrial(self.suites, twin, self.watching.on_stage)
            if why := await run.suites.before():
                run.reason = why
                return
            # A twin has none of the host's data.
            session.plan = msgspec.structs.replace(plan, checks=sound, backup=msgspec.UNSET)
            trial = make_trial(self.load, session.plan, twin, self.watching.on_stage)
            if trial is None or not whole:
                await self._steps(session, run, whole=whole)
            else:
                await self._under_load(session, run, trial)
        finally:
            await session.close()

    async def _under_load(self, session: PatchSession, run: _Run, trial: Trial) -> None:
        """There and back between stretches of load, once more where the first was not enough."""
        await trial.take(patched=False)
        while True:
            await self._steps(session, run, whole=True, trial=trial)
            if run.verdict is not Verdict.PASS:
                return
            await trial.take(patched=False)
            if not trial.wants_more:
                break
            session.attempt += 1
        run.performance = trial.performance()
        run.verdict = run.performance.verdict
        if run.performance.reason:
            run.reason = f"performance: {run.performance.reason}"

    async def _steps(
        self, session: PatchSession, run: _Run, *, whole: bool, trial: Trial | None = None
    ) -> None:
        """The way there as far as it passes; the way back wherever the twin was changed."""
        changed, start = False, await self._look(session)
        for step, function in SEQUENCE:
            report = await function(session)
            self._note(run, report)
            changed = changed or report.changed_host
            run.verdict, run.reason = _judge(step, report)
            if report.verdict is not Verdict.PASS:
                break
        if start and run.verdict is Verdict.PASS:
            await self._compare(session, run, start)
        if run.verdict is Verdict.PASS:
            run.worsen(*await run.suites.compare("with the patch"))
        if trial and run.verdict is Verdict.PASS:
            await trial.take(patched=True)
        if not (whole and changed):
            return
        for step, function in WAY_BACK:
            report = await function(session)
            self._note(run, report)
            run.worsen(report.verdict, f"{step.value}: {report.reason}")
        if start and (end := await self._look(session)):
            checks = judge_returned(start, end)
            run.regression += checks
            run.worsen(*_concluded(checks))
        run.worsen(*await run.suites.compare("after the way back"))

    async def _look(self, session: PatchSession) -> Snapshot | None:
        """What earlier rollouts achieved, as it is on the twin now; None where there is nothing."""
        if self.regression is None or self.regression.is_empty:
            return None
        self.watching.on_stage("looking at what earlier rollouts achieved")
        return await self.regression.look(session, self.now)

    async def _compare(self, session: PatchSession, run: _Run, start: Snapshot) -> None:
        assert self.regression
        now = await self._look(session)
        if now is None:
            return
        plan = session.plan
        set_by_plan = {one.setting.file for one in plan.controls if one.setting}
        checks = judge_patched(self.regression.closed, set_by_plan, start, now)
        run.regression = checks
        changed = {change.source for change in plan.changes}
        again = reopened(self.regression.closed, start, now)
        run.reopened = tuple(one for one in again if one in changed)
        run.worsen(*_concluded(checks))

    def _note(self, run: _Run, report: StepReport) -> None:
        run.reports.append(report)
        self.watching.on_report(report)

    async def _bisect(self, plan_id: str, plan: HostPlan, whole: _Run) -> tuple[str, ...]:
        """Among the packages alone: where those do not fail without the controls, none of them."""
        sources = tuple(sorted({change.source for change in plan.changes}))

        async def attempt(some: tuple[str, ...]) -> Verdict:
            self.watching.on_stage(f"looking for the culprit: {', '.join(some)}")
            part = tuple(change for change in plan.changes if change.source in some)
            smaller = msgspec.structs.replace(
                plan, changes=part, patch_set=digest(part), controls=()
            )
            return _judge_part(
                whole, await self._run(plan_id, smaller, whole=whole.performance is not None)
            )

        if plan.controls and (not sources or await attempt(sources) is not Verdict.FAIL):
            return ()
        return await narrow(sources, attempt, tries=self.bisect_tries)

    def _session(
        self, connect: Connect, plan_id: str, plan: HostPlan, settings: PatchSettings
    ) -> PatchSession:
        return PatchSession(
            plan=plan,
            plan_id=plan_id,
            connect=connect,
            now=self.now,
            on_output=self.watching.on_output,
            settings=settings,
        )


def _judge(step: Step, report: StepReport) -> tuple[Verdict, str]:
    """A step before the patch that fails says nothing about the patch."""
    if report.verdict is Verdict.PASS:
        return Verdict.PASS, ""
    reason = f"{step.value}: {report.reason}"
    return (report.verdict if step in _PATCHING else Verdict.INCONCLUSIVE), reason


def _concluded(checks: tuple[Check, ...]) -> tuple[Verdict, str]:
    verdict, reason = conclude(checks)
    return verdict, f"regression: {reason}"


def _judge_part(whole: _Run, part: _Run) -> Verdict:
    """A part answers for the whole only where the same checks were asked, and fails by the same
    harm; a busy machine or a part that does not go alone proves nothing."""
    asked, now = (tuple(check.verdict for check in run.baseline) for run in (whole, part))
    if whole.performance is not None:
        return part.performance.verdict if part.performance else Verdict.INCONCLUSIVE
    harms = [harm(run.reports, (*run.regression, *run.suites.checks)) for run in (whole, part)]
    other_harm = part.verdict is Verdict.FAIL and harms[0].isdisjoint(harms[1])
    return Verdict.INCONCLUSIVE if asked != now or other_harm else part.verdict
