"""Plans that people carry out by hand: written out for them, and proved on the hosts afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from suture.core.assessment import matching
from suture.core.documents import digest
from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.inventory import Inventory, PackageState
from suture.core.planning.lint import has_errors, lint
from suture.core.planning.plan import HostPlan, Plan
from suture.hosts.health import check_health
from suture.hosts.steps import Outcome, conclude, perform
from suture.reports import playbook, runbook
from suture.reports.by_hand import NoRoomError, beyond
from suture.services import fleet, plans, policies, rollouts
from suture.services.collecting import clock
from suture.services.connections import connector
from suture.services.errors import NotFoundError, RefusedError
from suture.services.host_work import FleetRunner, patch_settings
from suture.services.knowledge import known_about
from suture.services.rollouts import Proof
from suture.services.workspace import Workspace
from suture.store import events, hosts

_SERVICES_COME_UP_S = 30


class Format(StrEnum):
    RUNBOOK = "runbook"
    ANSIBLE = "ansible"


def export(workspace: Workspace, plan_id: str, how: Format, actor: str) -> Mapping[str, str]:
    """File name → text, for people to carry the plan out.

    Raises :class:`RefusedError` for a plan that does not pass lint, or that cannot be written so.
    """
    with fleet.opened(workspace) as store:
        plan = plans.get(store, plan_id)
        with store.read() as connection:
            enrolled = {host.name: host for host in hosts.listing(connection)}
        problems = lint(plan)
        if has_errors(problems):
            raise RefusedError(
                f"plan {plan.id} does not pass lint: {problems[0].message}", problems[0].remedy
            )
        try:
            if how is Format.RUNBOOK:
                files = {f"plan-{plan.id}.md": runbook.runbook(plan)}
            else:
                _refuse_for_ansible(plan, enrolled.keys())
                files = {
                    "playbook.yml": playbook.playbook(plan),
                    "way-back.yml": playbook.way_back(plan),
                    "inventory.yml": playbook.inventory(plan, enrolled, workspace.known_hosts),
                }
        except NoRoomError as error:
            raise RefusedError(
                f"the limits leave no room for {error}", "Bring those hosts back, and plan again."
            ) from None
        with store.begin() as connection:
            events.append(
                connection,
                at=clock(),
                kind="plan.exported",
                subject=plan.id,
                actor=actor,
                data={"format": how.value, "sha256": digest(files)},
            )
    return files


def _refuse_for_ansible(plan: Plan, enrolled: Collection[str]) -> None:
    for host in plan.hosts:
        if host.host not in enrolled:
            raise RefusedError(
                f"{host.host} is not enrolled any more", "Enrol it again, or plan again."
            )
        if more := beyond(host):
            raise RefusedError(
                f"a playbook of packages leaves out {', '.join(more)} on {host.host}",
                f"Write a runbook, or roll it out: suture rollout start {plan.id}.",
            )


def write(files: Mapping[str, str], folder: Path) -> tuple[Path, ...]:
    """Into ``folder``, which is made. Raises :class:`RefusedError` where a file is there."""
    for name in files:
        if (folder / name).exists():
            raise RefusedError(f"{folder / name} is there already", "Choose another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
    except OSError as error:
        raise RefusedError(
            f"{folder} cannot be written: {error.strerror}", "Choose another folder."
        ) from None
    return tuple(folder / name for name in files)


async def verify(
    workspace: Workspace,
    plan_id: str,
    names: Sequence[str],
    *,
    policy_file: Path | None = None,
    actor: str,
) -> tuple[Proof, ...]:
    """Ask the hosts themselves whether they are as the plan says, whoever made them so; what they
    answer is recorded as done by hand."""
    policy, _ = policies.load(workspace, policy_file)
    with fleet.opened(workspace) as store:
        plan = plans.get(store, plan_id)
        with store.read() as connection:
            enrolled = {host.name: host for host in hosts.listing(connection)}
        for name in names:
            if name not in plan.by_host:
                raise NotFoundError(
                    f"{name} is not a host of plan {plan.id}", f"See: suture plan show {plan.id}"
                )
        wanted = tuple(names) or tuple(plan.by_host)
        seen = await rollouts.look_again(workspace, store, policy, enrolled, wanted)
        inventories = {one.host.name: one.inventory for one in seen if one.inventory is not None}
        ways = connector(workspace, concurrency=policy.concurrency)
        runner = FleetRunner(ways, enrolled, lambda _: plan, patch_settings(policy))
        reports = await asyncio.gather(
            *(_report(runner, plan, name, inventories.get(name)) for name in wanted)
        )
        releases = {inventory.os.release for inventory in inventories.values()}
        index = known_about(store, releases, now=clock()).index
        still = {
            name: {found.cve for found in matching.match(inventory, index)}
            for name, inventory in inventories.items()
        }
        proofs = tuple(rollouts.proof(plan, one, still.get(one.host)) for one in reports)
        with store.begin() as connection:
            for one in proofs:
                events.append(
                    connection,
                    at=clock(),
                    kind="plan.verified",
                    subject=plan.id,
                    host=one.host,
                    actor=actor,
                    data={
                        "done": "by hand",
                        "verdict": one.verdict,
                        "reason": one.reason,
                        "closed": one.closed,
                        "open": one.open,
                        "checks": one.report.checks,
                    },
                )
    return proofs


async def _report(
    runner: FleetRunner, plan: Plan, name: str, inventory: Inventory | None
) -> StepReport:
    session = runner.session(plan.id, name)
    planned = plan.host(name)

    async def body() -> Outcome:
        if inventory is None:
            return Outcome(Verdict.INCONCLUSIVE, "the host could not be scanned again")
        health = await check_health(session, planned.checks, wait_s=_SERVICES_COME_UP_S)
        checks = (installed(planned, inventory), *health)
        return Outcome(*conclude(checks), checks=checks)

    try:
        return await perform(session, Step.VERIFY, body, transaction=False, mutates=False)
    finally:
        await session.close()


def installed(plan: HostPlan, inventory: Inventory) -> Check:
    """Each package at exactly the version that the plan brings."""
    there = {one.key: one for one in inventory.packages.packages}
    wrong = []
    for change in plan.changes:
        found = there.get(change.key)
        if found is None or found.state is not PackageState.INSTALLED:
            wrong.append(f"{change.key} is not installed")
        elif found.version != change.after:
            wrong.append(f"{change.key} is {found.version}, not {change.after}")
    if wrong:
        more = f" and {len(wrong) - 6} more" if len(wrong) > 6 else ""
        return Check("versions", Verdict.FAIL, "; ".join(wrong[:6]) + more)
    return Check("versions", Verdict.PASS, f"the {len(plan.changes)} planned versions")
