"""Plans: made from what was last seen, shown, compared and checked before anything is run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from suture.core.controls import Control
from suture.core.documents import Document, decode
from suture.core.durations import Durations, learn
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.inventory import Host
from suture.core.planning import planner
from suture.core.planning.lint import Problem, has_errors, lint
from suture.core.planning.plan import HeldBack, HostPlan, LeftOut, Plan
from suture.core.planning.timing import is_timed
from suture.core.policy import Policy
from suture.core.rollout.approvals import Approval
from suture.services import controls, fleet, policies
from suture.services.assessing import choose
from suture.services.collecting import clock
from suture.services.errors import NotFoundError, RefusedError, ServiceError
from suture.services.knowledge import known_about
from suture.services.workspace import Workspace
from suture.store import events, fleet_columns, observations, rollouts
from suture.store import plans as stored_plans
from suture.store.database import Store
from suture.store.plans import ListedPlan

_RESTARTED = "restarted "
_MOST_REPORTS = 20_000  # to learn from: some thousands of runs

_HELD_BACK = re.compile(r"([a-z0-9][a-z0-9+.-]*)@([A-Za-z0-9.+:~-]+)")


class Rehearsed(Document, frozen=True):
    """What a rehearsal did besides installing. ``reboot`` says why, empty where there was none."""

    restarts: tuple[str, ...]
    reboot: str


class _Rehearsal(Document, frozen=True):
    """Of a stored rehearsal, what is read here."""

    class_id: str
    verdict: Verdict
    reports: tuple[StepReport, ...] = ()


def create(
    workspace: Workspace,
    *,
    names: Sequence[str] = (),
    labels: Sequence[str] = (),
    policy_file: Path | None = None,
    hold_back: Sequence[str] = (),
    control_ids: Sequence[str] = (),
    packages: bool = True,
    parent: str | None = None,
    actor: str,
) -> Plan:
    """A plan for enrolled hosts from their last scan; nothing is contacted.

    ``hold_back`` are ``source@version``, on top of what ``parent`` held back, and ``control_ids``
    name controls, on top of those that it applies. Without ``packages`` every update is left out.
    Raises :class:`RefusedError` when a control goes to no host, or the plan does not pass its own
    lint.
    """
    policy, _ = policies.load(workspace, policy_file)
    hosts = fleet.chosen(workspace, names=names, labels=labels)
    with fleet.opened(workspace) as store:
        before = get(store, parent) if parent else None
        held_back = (*(before.held_back if before else ()), *map(_held_back, hold_back))
        wanted = controls.chosen(workspace, control_ids)
        plan = make(
            store,
            hosts=hosts,
            policy=policy,
            held_back=held_back,
            controls=_with_those_of(before, wanted),
            packages=packages,
            parent=before.id if before else None,
        )
        _refuse_idle(plan, wanted)
        save(store, plan, actor)
    return plan


def make(
    store: Store,
    *,
    hosts: Sequence[Host],
    policy: Policy,
    held_back: Sequence[HeldBack],
    left_out: Sequence[LeftOut] = (),
    controls: Sequence[Control] = (),
    packages: bool = True,
    parent: str | None,
) -> Plan:
    """The plan that follows from what is stored; it is not kept. ``left_out`` are of ``hosts``,
    and count for shares and limits alone."""
    with store.query() as query:
        seen = observations.latest(query)
        presence = fleet_columns.presence(query, {host.name for host in hosts})
    now = clock()
    known = [(host, seen[host.name]) for host in hosts if host.name in seen]
    knowledge = known_about(store, {inventory.os.release for _, inventory in known}, now=now)
    chosen = choose(
        known, knowledge, policy, today=now.date(), held_back=held_back, presence=presence
    )
    selections = {one.host.name: one.selection for one in chosen}
    if not packages:
        why = "the plan is of controls alone"
        selections = {name: one.without_changes(why) for name, one in selections.items()}
    return planner.make_plan(
        hosts=hosts,
        inventories={host.name: inventory for host, inventory in known},
        selections=selections,
        findings={one.host.name: one.findings for one in chosen},
        policy=policy,
        now=now,
        left_out=left_out,
        held_back=tuple(held_back),
        controls=controls,
        parent=parent,
        durations=_durations(store, policy),
    )


def controls_of(plan: Plan) -> tuple[Control, ...]:
    """All controls of a plan, each once."""
    return tuple({one.id: one for host in plan.hosts for one in host.controls}.values())


def _with_those_of(parent: Plan | None, wanted: Sequence[Control]) -> tuple[Control, ...]:
    """The parent's controls and ``wanted``, which replaces those of the same id."""
    known = controls_of(parent) if parent else ()
    return tuple({one.id: one for one in (*known, *wanted)}.values())


def _refuse_idle(plan: Plan, wanted: Sequence[Control]) -> None:
    applied = {one.id for one in controls_of(plan)}
    for control in wanted:
        if control.id not in applied:
            left_out = "; ".join(f"{one.host}: {one.reason}" for one in plan.left_out[:3])
            raise RefusedError(
                f"control {control.id} is for {control.when} and goes to none of these hosts"
                + (f" ({left_out})" if left_out else ""),
                "Choose other hosts, scan them, or change its condition.",
            )


def _durations(store: Store, policy: Policy) -> Durations:
    """What earlier runs took, where the policy makes anything depend on it."""
    if not is_timed(policy):
        return Durations()
    with store.read() as connection:
        return learn(rollouts.recent_runs(connection, _MOST_REPORTS))


def save(store: Store, plan: Plan, actor: str) -> None:
    problems = lint(plan)
    if has_errors(problems):
        raise RefusedError(
            "the plan does not pass lint: " + "; ".join(one.message for one in problems),
            problems[0].remedy,
        )
    with store.begin() as connection:
        stored_plans.save(connection, plan)
        events.append(
            connection,
            at=clock(),
            kind="plan.created",
            subject=plan.id,
            actor=actor,
            data={"hosts": [host.host for host in plan.hosts], "parent": plan.parent},
        )


def _held_back(text: str) -> HeldBack:
    found = _HELD_BACK.fullmatch(text)
    if not found:
        raise ServiceError(f"not source@version: {text!r:.80}", "For example nginx@1.22.1-9.")
    return HeldBack(found[1], found[2], "held back by a person")


def get(store: Store, plan_id: str) -> Plan:
    """The plan whose id begins with ``plan_id``; ``latest`` is the newest."""
    with store.read() as connection:
        newest = stored_plans.newest(connection)
        if plan_id == "latest" and newest is not None:
            found: tuple[str, ...] = (newest,)
        else:
            found = stored_plans.find(connection, plan_id)
        plan = stored_plans.get(connection, found[0]) if len(found) == 1 else None
    if plan is None:
        if newest is None:
            raise NotFoundError(
                f"no plan {plan_id!r:.80}; there is none yet", "Make one: suture plan create"
            )
        what = f"{len(found)} plans begin with" if found else "no plan"
        raise NotFoundError(f"{what} {plan_id!r:.80}", "List them: suture plan list")
    return plan


def rehearsed(workspace: Workspace, plan: Plan) -> dict[str, Rehearsed]:
    """Class of hosts → what its newest rehearsal that passed did, under this plan or another."""
    classes = {host.class_id for host in plan.hosts}
    with fleet.opened(workspace) as store, store.read() as connection:
        documents = stored_plans.rehearsal_documents(connection, plan.id, classes)
    found = (decode(document, _Rehearsal) for document in documents)
    return {one.class_id: _did(one.reports) for one in found if one.verdict is Verdict.PASS}


def _did(reports: Sequence[StepReport]) -> Rehearsed:
    by_step = {report.step: report for report in reports}
    restart, reboot = by_step.get(Step.RESTART), by_step.get(Step.REBOOT)
    done = [check.name for check in restart.checks] if restart else []
    why = [check.detail for check in reboot.checks] if reboot and reboot.changed_host else []
    return Rehearsed(
        restarts=tuple(one.removeprefix(_RESTARTED) for one in done if one.startswith(_RESTARTED)),
        reboot=why[0].partition(";")[0] if why else "",
    )


def load(workspace: Workspace, plan_id: str) -> Plan:
    with fleet.opened(workspace) as store:
        return get(store, plan_id)


def listing(workspace: Workspace) -> tuple[ListedPlan, ...]:
    """All plans, newest first."""
    with fleet.opened(workspace) as store, store.read() as connection:
        return stored_plans.listing(connection)


def problems(plan: Plan) -> tuple[Problem, ...]:
    return lint(plan)


class Planned(Document, frozen=True):
    """One host's part of a plan: its wave, counted from 1, or why it is left out."""

    plan: str
    name: str
    wave: int | None = None
    host: HostPlan | None = None
    left_out: str = ""


class ShownPlan(Document, frozen=True):
    """A plan with its id, which is derived and so not part of the document itself, and who has
    agreed to it."""

    id: str
    plan: Plan
    approvals: tuple[Approval, ...] = ()


def shown(plan: Plan, approvals: tuple[Approval, ...] = ()) -> ShownPlan:
    return ShownPlan(plan.id, plan, approvals)


def planned(plan: Plan, name: str) -> Planned:
    """What ``plan`` has for one host; raises :class:`NotFoundError` where that is nothing."""
    host = plan.by_host.get(name)
    if host is not None:
        wave = next(wave.index + 1 for wave in plan.waves if name in wave.hosts)
        return Planned(plan.id, name, wave=wave, host=host)
    for one in plan.left_out:
        if one.host == name:
            return Planned(plan.id, name, left_out=one.reason)
    raise NotFoundError(
        f"plan {plan.id} has no host {name}", f"Its hosts: suture plan show {plan.id} --json"
    )
