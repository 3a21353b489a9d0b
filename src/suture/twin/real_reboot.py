"""A patch that needs a reboot, on a virtual machine: into the new kernel, and back into the old.

The container twin has found everything else by then. What is proved here is that the host's own
boot works with the patch, and without it again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from suture.core.documents import Document
from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.planning.plan import HostPlan, RebootRule
from suture.core.policies.rehearsing import RealReboot
from suture.core.suites import Suite
from suture.hosts.patching import SEQUENCE, WAY_BACK, Connect, PatchSession, PatchSettings
from suture.hosts.reboot import reboot
from suture.hosts.steps import conclude
from suture.hosts.transport import HostError
from suture.twin.baseline import ask_baseline, sound_checks
from suture.twin.clone import Clone
from suture.twin.containers import ContainerError
from suture.twin.machine import Twins
from suture.twin.package_files import PackageFilesError, provide_packages
from suture.twin.suites import SuiteTrial
from suture.twin.vm import WAIT_BOOTED, hindrance
from suture.twin.watching import Watching

_IMAGE = re.compile(r"linux-image-(?:unsigned-)?(\d.*)")
MACHINE_SETTINGS = PatchSettings(reconnect_s=900, lock_wait_s=120, reboot_s=900, health_wait_s=120)
"""A machine that is emulated in software takes its time."""

_CONTAINER_ONLY = "the reboot was rehearsed in a container, without the host's own kernel"


class RealBoot(Document, frozen=True):
    """What a virtual machine made of the patch. ``kernels`` are those that ran before it, with it
    and after the way back (``uname -rv``); ``accelerator`` is ``kvm`` or ``tcg`` (in software),
    empty where there was no machine."""

    verdict: Verdict
    reason: str
    seconds: float = 0.0
    accelerator: str = ""
    kernels: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    reports: tuple[StepReport, ...] = ()
    console: str = ""


def new_kernels(plan: HostPlan) -> tuple[str, ...]:
    """The kernel releases that the plan brings."""
    found = (_IMAGE.fullmatch(change.package) for change in plan.changes)
    return tuple(match[1] for match in found if match)


def is_kernel(package: str) -> bool:
    return package.startswith(("linux-image-", "linux-modules-"))


def wants_machine(plan: HostPlan, wanted: RealReboot) -> bool:
    """Whether the plan reboots the host, as far as anybody can tell before."""
    if wanted is RealReboot.NEVER or plan.reboot is RebootRule.NEVER:
        return False
    return plan.reboot_expected or bool(new_kernels(plan))


def not_rehearsed(plan: HostPlan, wanted: RealReboot, why: str) -> RealBoot:
    """A kernel that nobody booted is unknown, and unknown is no pass, unless the policy says so.
    Other reboots were rehearsed in the container but for the kernel, which they do not change."""
    if wanted is RealReboot.REQUIRED and new_kernels(plan):
        reason = (
            f"the new kernel was not booted: {why}; where that cannot be had, accept it with "
            "rehearsal.real_reboot: if-possible in the policy"
        )
        return RealBoot(Verdict.INCONCLUSIVE, reason)
    return RealBoot(Verdict.PASS, f"{_CONTAINER_ONLY}: {why}")


class Course:
    """One patch set there and back on one machine, with a reboot each way."""

    def __init__(
        self,
        session: PatchSession,
        note: Callable[[StepReport], None],
        suites: SuiteTrial | None = None,
    ) -> None:
        self._session = session
        self._note = note
        self.suites = suites or SuiteTrial()
        self.reports: list[StepReport] = []
        self.kernels: list[str] = []
        self.checks: list[Check] = []

    async def run(self) -> tuple[Verdict, str]:
        """Raises HostError where the machine is out of reach between steps."""
        plan = self._session.plan
        await self._ask_kernel()
        verdict, reason = await self._there()
        if verdict is Verdict.PASS and (releases := new_kernels(plan)):
            self.checks.append(_booted(self.kernels[-1], releases))
            verdict, reason = conclude(self.checks)
        if verdict is Verdict.PASS:
            verdict, reason = await self.suites.compare("rebooted with the patch")
        if any(report.changed_host for report in self.reports):
            back = await self._back()
            if verdict is Verdict.PASS:
                verdict, reason = back
        return verdict, reason

    async def _there(self) -> tuple[Verdict, str]:
        for step, function in SEQUENCE:
            report = await function(self._session)
            self._add(report)
            if step is Step.REBOOT:
                await self._booted()
            if report.verdict is not Verdict.PASS:
                # What passed in a container and fails here before the patch is the machine's doing.
                patching = step in (Step.APPLY, Step.RESTART, Step.REBOOT, Step.VERIFY)
                found = report.verdict if patching else Verdict.INCONCLUSIVE
                return found, f"{step.value}: {report.reason}"
        await self._ask_kernel()
        return Verdict.PASS, ""

    async def _back(self) -> tuple[Verdict, str]:
        found: list[StepReport] = []
        for step, function in WAY_BACK:
            found.append(await function(self._session))
            if step is Step.REBOOT_ROLL_BACK:
                if not found[-1].changed_host:
                    found.append(await self._reboot_all_the_same())
                await self._booted()
        for report in found:
            self._add(report)
        await self._ask_kernel()
        same = self.kernels[-1] == self.kernels[0]
        detail = f"{self.kernels[-1]}, as before" if same else f"{self.kernels[-1]} runs"
        self.checks.append(
            Check("kernel after the way back", Verdict.PASS if same else Verdict.FAIL, detail)
        )
        for report in found:
            if report.verdict is not Verdict.PASS:
                return report.verdict, f"{report.step.value}: {report.reason}"
        verdict, reason = conclude(self.checks)
        if verdict is Verdict.PASS:
            return await self.suites.compare("rebooted after the way back")
        return verdict, reason

    async def _reboot_all_the_same(self) -> StepReport:
        """That the host boots without the patch is to be seen, needed or not."""
        session, plan = self._session, self._session.plan
        session.plan = msgspec.structs.replace(plan, reboot=RebootRule.ALWAYS)
        session.attempt += 1
        report = await reboot(session)
        session.plan = plan
        return report

    async def _booted(self) -> None:
        await self._session.query(WAIT_BOOTED, timeout_s=self._session.settings.reboot_s)

    async def _ask_kernel(self) -> None:
        result = await self._session.query("uname -rv\n")
        self.kernels.append(result.stdout.decode("ascii", "replace").strip()[:200])

    def _add(self, report: StepReport) -> None:
        self.reports.append(report)
        self._note(report)


def _booted(running: str, releases: tuple[str, ...]) -> Check:
    release = running.split(" ")[0]
    if release in releases:
        return Check("kernel", Verdict.PASS, f"{running} runs")
    return Check(
        "kernel", Verdict.FAIL, f"{running} runs after the reboot, not {' or '.join(releases)}"
    )


async def boot_for_real(
    twins: Twins,
    clone: Clone,
    packages: Path,
    session_of: Callable[[Connect], PatchSession],
    plan: HostPlan,
    wanted: RealReboot,
    suites: tuple[Suite, ...],
    watching: Watching,
) -> RealBoot:
    """The patch set on a virtual machine of ``clone``. Expected failures are verdicts."""
    if why := hindrance(clone, plan.arch):
        return not_rehearsed(plan, wanted, why)
    began, accelerator, console = time.monotonic(), "", ""
    course: Course | None = None
    watching.on_stage("booting a virtual machine with the host's own kernel")
    try:
        async with twins.boot_machine(clone, packages) as twin:
            accelerator = twin.accelerator
            session = session_of(twin.connect)
            trial = SuiteTrial(suites, twin, watching.on_stage)
            course = Course(session, watching.on_report, trial)
            try:
                verdict, reason = await _on_machine(session, course)
            finally:
                console = twin.console
                await session.close()
    except ContainerError as error:
        verdict, reason = Verdict.INCONCLUSIVE, f"it does not boot: {error}"
        console = error.console
    except PackageFilesError as error:
        verdict, reason = Verdict.INCONCLUSIVE, str(error)
    except HostError as error:
        verdict, reason = Verdict.INCONCLUSIVE, error.failure.message
    return RealBoot(
        verdict,
        reason,
        seconds=round(time.monotonic() - began, 1),
        accelerator=accelerator,
        kernels=tuple(course.kernels) if course else (),
        checks=(*course.checks, *course.suites.checks) if course else (),
        reports=tuple(course.reports) if course else (),
        console=console,
    )


async def _on_machine(session: PatchSession, course: Course) -> tuple[Verdict, str]:
    async with session.connect() as way:
        await provide_packages(way)
    checks = sound_checks(session.plan.checks, await ask_baseline(session))
    session.plan = msgspec.structs.replace(session.plan, checks=checks)
    if why := await course.suites.before():
        return Verdict.INCONCLUSIVE, why
    return await course.run()
