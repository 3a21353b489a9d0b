"""Drills: the way back alone, proved on a fresh twin.

What is pending on the host is installed on its twin and taken back. Where nothing is, the twin is
put to before the last rollout first. Either way the way back is what is judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from suture.core.documents import Document, digest, encode
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.planning.plan import HostPlan, Plan
from suture.core.policy import Policy
from suture.core.rollout.state import HostPhase
from suture.hosts.shell import program
from suture.hosts.steps import package_table
from suture.hosts.transport import HostError
from suture.hosts.transport.connector import Connector
from suture.services import drills, fleet, plans, policies
from suture.services.collecting import clock
from suture.services.connections import connector
from suture.services.drills import Proven
from suture.services.errors import RefusedError
from suture.services.staging import TWINS_AT_ONCE, OnReport, OnStage, Staging
from suture.services.workspace import Workspace
from suture.store import drills as stored_drills
from suture.store import events, observations, rollouts
from suture.store import plans as stored_plans
from suture.store.database import Store, query_of
from suture.store.drills import StoredDrill
from suture.twin.clone import CloneError
from suture.twin.containers import ContainerError
from suture.twin.package_files import PackageFilesError
from suture.twin.rehearsal import Rehearser
from suture.twin.watching import Watching

_WAY_BACK = (Step.ROLL_BACK, Step.REBOOT_ROLL_BACK, Step.VERIFY_ROLL_BACK)


class Drill(Document, frozen=True):
    """What became of one host's way back. ``rollout`` is the one that was taken back, empty where
    the pending patches were. ``reports`` are all steps on the twin; the verdict is on the way back
    alone."""

    host: str
    kind: str
    verdict: Verdict
    reason: str
    started_at: datetime
    seconds: float
    packages: int
    rollout: str = ""
    reports: tuple[StepReport, ...] = ()
    console: str = ""


class Drills(Document, frozen=True):
    """``nothing`` are hosts on which nothing is pending and nothing was ever rolled out."""

    done: tuple[Drill, ...]
    nothing: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        verdicts = {one.verdict for one in self.done}
        for worst in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            if worst in verdicts:
                return worst
        return Verdict.PASS


class _Task(Document, frozen=True):
    """A drill to do. Without ``rollout`` the host downloads what is pending; with it, the host plan
    is that of the rollout, on the packages that the host has now."""

    plan: Plan
    host: HostPlan
    kind: str
    rollout: str = ""


def drill(
    workspace: Workspace,
    names: Sequence[str],
    *,
    due: bool,
    policy_file: Path | None,
    actor: str,
    on_stage: OnStage,
    on_report: OnReport,
) -> Drills:
    """Drill the named hosts, or one of each kind; with ``due`` only where it is time again.

    Raises :class:`RefusedError` for a name that is not enrolled or was never scanned, and for
    ``due`` under a policy that says nothing of drills.
    """
    policy, _ = policies.load(workspace, policy_file)
    if due and policy.drill.every is None:
        raise RefusedError(
            "the policy does not say how often to drill", "Set drill.every, such as 30d."
        )
    with fleet.opened(workspace) as store:
        staging = Staging.of(workspace, store, policy, on_stage=on_stage, on_report=on_report)
        wanted = _wanted(store, policy, names, due=due)
        tasks = _tasks(store, staging, policy, wanted)
        done = asyncio.run(_all(workspace, policy, store, staging, tasks, actor))
        if due:
            _tell_overdue(store, policy, actor)
    with_task = {task.host.host for task in tasks}
    return Drills(done, tuple(one.host for one in wanted if one.host not in with_task))


def judge(reports: Sequence[StepReport]) -> tuple[Verdict, str]:
    """The verdict on the way back; a way there that changed nothing leaves it unproved."""
    back = [report for report in reports if report.step in _WAY_BACK]
    if Step.VERIFY_ROLL_BACK not in [report.step for report in back]:
        last = f": {reports[-1].step.value}: {reports[-1].reason}" if reports else ""
        return Verdict.INCONCLUSIVE, f"the twin was not changed, so nothing was taken back{last}"
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        for report in back:
            if report.verdict is verdict:
                return verdict, f"{report.step.value}: {report.reason}"
    return Verdict.PASS, ""


def _wanted(store: Store, policy: Policy, names: Sequence[str], *, due: bool) -> list[Proven]:
    with store.read() as connection:
        known = {one.host: one for one in drills.standings(connection, policy, clock())}
    for name in names:
        if name not in known:
            raise RefusedError(f"{name} is not enrolled, or was never scanned", "Run: suture scan")
    first_of_kind: dict[str, Proven] = {}
    for one in known.values():
        first_of_kind.setdefault(one.kind, one)
    wanted = [known[name] for name in names] or first_of_kind.values()
    return [one for one in wanted if one.overdue or not due]


def _tasks(store: Store, staging: Staging, policy: Policy, wanted: Sequence[Proven]) -> list[_Task]:
    """What is pending goes first; hosts without either are left out."""
    chosen = staging.chosen([one.host for one in wanted])
    if not chosen:
        return []
    pending = plans.make(store, hosts=chosen, policy=policy, held_back=(), parent=None)
    tasks = []
    with store.read() as connection:
        seen = observations.latest(query_of(connection))
        for one in wanted:
            host = pending.by_host.get(one.host)
            if host is not None and host.changes:
                tasks.append(_Task(pending, host, one.kind))
            elif last := _last_rollout(connection, one.host):
                rollout, plan = last
                now = seen[one.host].packages.digest
                host = msgspec.structs.replace(plan.host(one.host), package_set=now)
                tasks.append(_Task(plan, host, one.kind, rollout))
    return tasks


def _last_rollout(connection: sa.Connection, host: str) -> tuple[str, Plan] | None:
    """The newest that installed packages on the host and was not taken back."""
    for rollout in rollouts.listing(connection):
        if rollouts.host_phases(rollout.state).get(host) is HostPhase.DONE:
            plan = stored_plans.get(connection, rollout.plan)
            if plan is not None and plan.host(host).changes:
                return rollout.id, plan
    return None


async def _all(
    workspace: Workspace,
    policy: Policy,
    store: Store,
    staging: Staging,
    tasks: Sequence[_Task],
    actor: str,
) -> tuple[Drill, ...]:
    places = asyncio.Semaphore(TWINS_AT_ONCE)

    async def one(task: _Task, ways: Connector) -> Drill:
        async with places:
            done = await _one(staging, task, ways)
        _keep(store, done, actor)
        return done

    async with connector(workspace, concurrency=policy.concurrency) as ways:
        return tuple(await asyncio.gather(*(one(task, ways) for task in tasks)))


async def _one(staging: Staging, task: _Task, ways: Connector) -> Drill:
    started, host = clock(), task.host
    reports: tuple[StepReport, ...] = ()
    console = ""
    try:
        staged = await staging.prepare(task.plan, host, ways, acquire=not task.rollout)
        table = package_table(host)
        before = program("common", "query", "drill", PLAN=table) if task.rollout else ""
        watching = Watching(
            on_stage=lambda stage: staging.on_stage(host.host, stage),
            on_report=lambda report: staging.on_report(host.host, report),
        )
        rehearser = Rehearser(
            staging.twins, staged.clone, staged.packages, before=before, watching=watching
        )
        found = await rehearser.there_and_back(task.plan.id, host)
        reports, console = found.reports, found.console
        verdict, reason = judge(reports) if reports else (Verdict.INCONCLUSIVE, found.reason)
    except HostError as error:
        verdict, reason = Verdict.INCONCLUSIVE, error.failure.message
    except (CloneError, ContainerError, PackageFilesError) as error:
        verdict, reason = Verdict.INCONCLUSIVE, str(error)
    return Drill(
        host=host.host,
        kind=task.kind,
        verdict=verdict,
        reason=reason,
        started_at=started,
        seconds=round((clock() - started).total_seconds(), 1),
        packages=len(host.changes),
        rollout=task.rollout,
        reports=reports,
        console=console,
    )


def _keep(store: Store, done: Drill, actor: str) -> None:
    now = clock()
    with store.begin() as connection:
        stored_drills.save(
            connection, StoredDrill(done.host, done.kind, done.verdict, now, encode(done))
        )
        events.append(
            connection,
            at=now,
            kind="drill.finished",
            subject=done.host,
            host=done.host,
            actor=actor,
            data={
                "verdict": done.verdict,
                "reason": done.reason,
                "rollout": done.rollout,
                "sha256": digest(done),
            },
        )


def _tell_overdue(store: Store, policy: Policy, actor: str) -> None:
    """An event for each host whose way back is still not proved in time."""
    now = clock()
    with store.begin() as connection:
        for one in drills.standings(connection, policy, now):
            if one.overdue:
                since = one.proved_at.isoformat() if one.proved_at else None
                events.append(
                    connection,
                    at=now,
                    kind="drill.overdue",
                    subject=one.host,
                    host=one.host,
                    actor=actor,
                    data={"proved_at": since, "verdict": one.verdict},
                )
