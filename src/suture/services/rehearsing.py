"""Rehearsing a plan: a twin of each class of its hosts, and a corrected plan where a package
fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from suture.core.documents import Document, digest, encode
from suture.core.evidence import Verdict
from suture.core.planning.plan import HeldBack, HostPlan, Plan
from suture.core.policy import Policy
from suture.hosts.transport import HostError
from suture.hosts.transport.connector import Connector
from suture.services import fleet, plans, policies, rehearsals
from suture.services.collecting import clock
from suture.services.connections import connector
from suture.services.earlier_work import earlier_work
from suture.services.errors import RefusedError
from suture.services.rehearsals import Standing
from suture.services.staging import TWINS_AT_ONCE, OnReport, OnStage, Staging
from suture.services.suites import Suites
from suture.services.workspace import Workspace
from suture.store import events
from suture.store import plans as stored_plans
from suture.store.database import Store
from suture.twin.clone import CloneError
from suture.twin.containers import ContainerError
from suture.twin.load import LoadSettings
from suture.twin.package_files import PackageFilesError
from suture.twin.rehearsal import Rehearsal, Rehearser
from suture.twin.watching import Watching


class Progress(Document, frozen=True):
    """Who follows: each stage in words by host, each step's report, each new plan, and what was
    known of its hosts before."""

    on_stage: OnStage
    on_report: OnReport
    on_plan: Callable[[Plan], None]
    on_standing: Callable[[Standing], None]


class Outcome(Document, frozen=True):
    """``plan`` is the last plan that was rehearsed, corrected or not; ``rehearsals`` are of all
    plans in their order; ``reused`` are hosts of the last plan for which an earlier one counted;
    ``held_back`` is what the correction left out."""

    plan: str
    verdict: Verdict
    reason: str
    rehearsals: tuple[Rehearsal, ...]
    reused: tuple[Standing, ...]
    held_back: tuple[HeldBack, ...]


def rehearse(
    workspace: Workspace,
    plan_id: str,
    *,
    policy_file: Path | None,
    hold_back: bool,
    actor: str,
    progress: Progress,
) -> Outcome:
    """Rehearse, and with ``hold_back`` correct the plan and rehearse again until it passes or
    nothing is left to hold back. Raises :class:`RefusedError` for a plan without hosts, and
    PolicyError where a suite of the policy is not there."""
    policy, _ = policies.check(workspace, policy_file)
    with fleet.opened(workspace) as store:
        rehearsing = _Rehearsing(workspace, store, policy, actor, progress)
        return asyncio.run(rehearsing.rehearse(plans.get(store, plan_id), hold_back))


class _Rehearsing:
    def __init__(
        self, workspace: Workspace, store: Store, policy: Policy, actor: str, progress: Progress
    ) -> None:
        self.workspace = workspace
        self.store = store
        self.policy = policy
        self.actor = actor
        self.progress = progress
        self.suites = Suites.of_policy(policy)
        self.staging = Staging.of(
            workspace, store, policy, on_stage=progress.on_stage, on_report=progress.on_report
        )

    async def rehearse(self, plan: Plan, hold_back: bool) -> Outcome:
        done: list[Rehearsal] = []
        first = plan
        while True:
            if not plan.hosts:
                raise RefusedError(f"plan {plan.id} changes no host; nothing to rehearse")
            fresh, reused = await self._once(plan)
            done += fresh
            verdict, reason = _sum_up(fresh)
            culprits = _culprits(plan, fresh)
            if verdict is not Verdict.FAIL or not hold_back or not culprits:
                held_back = tuple(one for one in plan.held_back if one not in first.held_back)
                return Outcome(plan.id, verdict, reason, tuple(done), reused, held_back)
            plan = self._corrected(plan, culprits)
            self.progress.on_plan(plan)

    async def _once(self, plan: Plan) -> tuple[list[Rehearsal], tuple[Standing, ...]]:
        """A rehearsal for all hosts that have none which counts, and those that have."""
        with self.store.read() as connection:
            standings = rehearsals.standings(connection, plan, self.policy, clock())
        for standing in standings:
            self.progress.on_standing(standing)
        places = asyncio.Semaphore(TWINS_AT_ONCE)

        async def one(standing: Standing, ways: Connector) -> Rehearsal:
            async with places:
                found = await self._class(plan, plan.host(standing.host), ways)
            rehearsal = msgspec.structs.replace(found, inputs=standing.inputs)
            self._keep(rehearsal)
            return rehearsal

        async with connector(self.workspace, concurrency=self.policy.concurrency) as ways:
            fresh = await asyncio.gather(*(one(it, ways) for it in standings if not it.passed))
        return list(fresh), tuple(it for it in standings if it.passed)

    async def _class(self, plan: Plan, host: HostPlan, ways: Connector) -> Rehearsal:
        started = clock()
        try:
            return await self._on_twin(plan, host, ways)
        except HostError as error:
            reason = error.failure.message
        except (CloneError, ContainerError, PackageFilesError) as error:
            reason = str(error)
        return Rehearsal(
            plan=plan.id,
            class_id=host.class_id,
            host=host.host,
            verdict=Verdict.INCONCLUSIVE,
            reason=reason,
            started_at=started,
            seconds=(clock() - started).total_seconds(),
        )

    async def _on_twin(self, plan: Plan, host: HostPlan, ways: Connector) -> Rehearsal:
        staged = await self.staging.prepare(plan, host, ways)
        enrolled = self.staging.host(host.host)
        regression = earlier_work(self.store, plan, host, enrolled, staged.paths, clock())
        watching = Watching(
            on_stage=lambda stage: self.progress.on_stage(host.host, stage),
            on_report=lambda report: self.progress.on_report(host.host, report),
        )
        wanted = self.policy.performance
        rehearser = Rehearser(
            self.staging.twins,
            staged.clone,
            staged.packages,
            load=LoadSettings(wanted.load, wanted.least_share, wanted.seconds),
            regression=regression,
            real_reboot=self.policy.rehearsal.real_reboot,
            suites=self.suites.on(enrolled),
            watching=watching,
        )
        return await rehearser.rehearse(plan.id, host)

    def _keep(self, rehearsal: Rehearsal) -> None:
        now = clock()
        with self.store.begin() as connection:
            stored_plans.save_rehearsal(
                connection,
                plan=rehearsal.plan,
                class_id=rehearsal.class_id,
                verdict=rehearsal.verdict,
                ended_at=now,
                document=encode(rehearsal),
            )
            events.append(
                connection,
                at=now,
                kind="rehearsal.finished",
                subject=rehearsal.plan,
                host=rehearsal.host,
                actor=self.actor,
                data={
                    "class": rehearsal.class_id,
                    "verdict": rehearsal.verdict,
                    "reason": rehearsal.reason,
                    "suspects": rehearsal.suspects,
                    "sha256": digest(rehearsal),
                },
            )

    def _corrected(self, plan: Plan, culprits: Sequence[HeldBack]) -> Plan:
        """The same hosts without what failed; a plan of its own."""
        names = [host.host for host in plan.hosts] + [host.host for host in plan.left_out]
        corrected = plans.make(
            self.store,
            hosts=self.staging.chosen(names),
            policy=self.policy,
            held_back=(*plan.held_back, *culprits),
            controls=plans.controls_of(plan),
            parent=plan.id,
        )
        plans.save(self.store, corrected, self.actor)
        return corrected


def _sum_up(rehearsals: Sequence[Rehearsal]) -> tuple[Verdict, str]:
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        worst = [one for one in rehearsals if one.verdict is verdict]
        if worst:
            return verdict, "; ".join(f"{one.host}: {one.reason}" for one in worst)
    return Verdict.PASS, ""


def _culprits(plan: Plan, rehearsals: Sequence[Rehearsal]) -> tuple[HeldBack, ...]:
    """Each suspect source of a failed rehearsal, at the version that the plan brings."""
    found: dict[tuple[str, str], HeldBack] = {}
    for rehearsal in rehearsals:
        if rehearsal.verdict is not Verdict.FAIL:
            continue
        for change in plan.host(rehearsal.host).changes:
            if change.source in rehearsal.suspects:
                key = (change.source, change.source_version)
                why = f"failed its rehearsal on a twin of {rehearsal.host}: {rehearsal.reason}"
                found.setdefault(key, HeldBack(*key, why))
    return tuple(found.values())
