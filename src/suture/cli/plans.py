"""``suture plan`` and ``suture rehearse``: what would be done, before it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suture.cli.options import Json

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Make, show, compare and check plans."
)

PlanId = Annotated[str, typer.Argument(help="Plan id, its beginning, or `latest`.")]


@app.command()
def create(
    host: Annotated[list[str] | None, typer.Option(help="Only this enrolled host.")] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="Only hosts with this label.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
    hold_back: Annotated[
        list[str] | None, typer.Option(help="source@version that must not be deployed.")
    ] = None,
    control: Annotated[
        list[str] | None, typer.Option(help="Control to apply, where its condition holds.")
    ] = None,
    packages: Annotated[bool, typer.Option(help="Without, controls are all that is done.")] = True,
    parent: Annotated[
        str | None,
        typer.Option(
            help="Plan that this one corrects; what it held back stays so, and its controls stay."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make a plan from the last scan; no host is contacted."""
    from suture.cli.asking import actor
    from suture.cli.output import console, plain, print_json
    from suture.cli.plan_view import print_plan, print_problems
    from suture.cli.workspace import workspace
    from suture.services import plans

    plan = plans.create(
        workspace(),
        names=tuple(host or ()),
        labels=tuple(label or ()),
        policy_file=policy,
        hold_back=tuple(hold_back or ()),
        control_ids=tuple(control or ()),
        packages=packages,
        parent=parent,
        actor=actor(),
    )
    if json:
        print_json(plans.shown(plan))
        return
    out = console()
    print_plan(out, plan)
    print_problems(out, plans.problems(plan))
    if plan.hosts:
        out.print(plain(f"Next: suture rehearse {plan.id}", "bold"))


@app.command("list")
def list_(json: Json = False) -> None:
    """All plans, newest first."""
    from suture.cli.output import console, plain, print_json, table
    from suture.cli.workspace import workspace
    from suture.services import plans

    found = plans.listing(workspace())
    if json:
        print_json({"plans": found})
        return
    if not found:
        console().print("No plans yet. Make one: suture plan create")
        return
    made = table("Plan", "Created", "Hosts", "Packages", "CVEs", "Corrects", "Left out")
    for plan in found:
        made.add_row(
            plain(plan.id),
            plain(plan.created_at.strftime("%Y-%m-%d %H:%M UTC")),
            plain(plan.hosts),
            plain(plan.packages),
            plain(plan.cves),
            plain(plan.parent or ""),
            plain(plan.left_out),
        )
    console().print(made)


@app.command()
def show(
    plan: PlanId,
    host: Annotated[str, typer.Option("--host", help="Only what it has for this host.")] = "",
    json: Json = False,
) -> None:
    """A plan: changes, order, way back, who agreed, and what is left out and why."""
    from suture.cli.approvals_view import print_given
    from suture.cli.drills import print_proven
    from suture.cli.output import console, print_json
    from suture.cli.plan_view import print_plan, print_planned
    from suture.cli.rehearsal_view import print_standings
    from suture.cli.workspace import workspace
    from suture.services import approving, drills, plans, rehearsals

    found = plans.load(workspace(), plan)
    if host:
        one = plans.planned(found, host)
        if json:
            print_json(one)
        else:
            print_planned(console(), one, plans.rehearsed(workspace(), found))
    elif json:
        print_json(plans.shown(found, approving.agreed(workspace(), found).given))
    else:
        print_plan(console(), found, plans.rehearsed(workspace(), found))
        agreed = approving.agreed(workspace(), found)
        print_given(console(), found, agreed.given, agreed.waits)
        print_standings(rehearsals.of_plan(workspace(), found))
        print_proven(one for one in drills.proven(workspace()) if one.host in found.by_host)


@app.command()
def diff(old: PlanId, new: PlanId, json: Json = False) -> None:
    """What changed between two plans. Exit code 1 when something did."""
    from suture.cli.output import console, print_json
    from suture.cli.plan_diff_view import print_diff
    from suture.cli.workspace import workspace
    from suture.core.planning.plan import diff as plan_diff
    from suture.services import plans

    there = workspace()
    found = plan_diff(plans.load(there, old), plans.load(there, new))
    if json:
        print_json(found)
    else:
        print_diff(console(), found)
    if not found.is_empty:
        raise typer.Exit(1)


@app.command()
def approve(
    plan: PlanId,
    ring: Annotated[str, typer.Option(help="Only waves of this ring.")] = "",
    role: Annotated[str, typer.Option("--as", help="The role as which you approve.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    json: Json = False,
) -> None:
    """Agree to a plan before it is started; it counts for a rollout of this very plan."""
    from suture.cli.asking import actor
    from suture.cli.output import console, plain, print_json
    from suture.cli.workspace import workspace
    from suture.services import approving

    found, given = approving.approve_plan(
        workspace(), plan, actor=actor(), role=role, ring=ring, reason=reason
    )
    if json:
        print_json({"plan": found.id, "approvals": given})
        return
    rings = {wave.index: wave.ring for wave in found.waves}
    for one in given:
        as_role = f" as {one.role}" if one.role else ""
        console().print(
            plain(f"{rings[one.wave]} of plan {found.id} approved by {one.by}{as_role}")
        )


@app.command()
def export(
    plan: PlanId,
    form: Annotated[
        str, typer.Option("--format", help="runbook (Markdown) or ansible (playbooks, inventory).")
    ] = "runbook",
    output: Annotated[
        Path | None, typer.Option(help="Folder to write to; a runbook is printed without.")
    ] = None,
) -> None:
    """Write a plan out for people who carry it out by hand, or with Ansible.

    Afterwards `suture verify --plan PLAN` proves it. For example:
    suture plan export latest --format ansible --output out
    """
    import sys

    from suture.cli.asking import actor
    from suture.cli.output import console, plain
    from suture.cli.workspace import workspace
    from suture.services import by_hand
    from suture.services.errors import ServiceError

    if form not in {one.value for one in by_hand.Format}:
        raise ServiceError(f"no format {form!r:.40}", "Give --format runbook or ansible.")
    how = by_hand.Format(form)
    if output is None and how is by_hand.Format.ANSIBLE:
        raise ServiceError("a playbook is two files", "Give the folder: --output DIR.")
    files = by_hand.export(workspace(), plan, how, actor())
    if output is None:
        sys.stdout.write("".join(files.values()))
        return
    for path in by_hand.write(files, output):
        console().print(plain(str(path)))


@app.command()
def lint(plan: PlanId, json: Json = False) -> None:
    """Check a plan's invariants. Exit code 1 for an error, 0 for warnings alone."""
    from suture.cli.output import console, print_json
    from suture.cli.plan_view import print_problems
    from suture.cli.workspace import workspace
    from suture.core.planning.lint import has_errors
    from suture.services import plans

    problems = plans.problems(plans.load(workspace(), plan))
    if json:
        print_json({"problems": problems})
    else:
        print_problems(console(), problems)
    if has_errors(problems):
        raise typer.Exit(1)


def rehearse(
    plan: PlanId,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
    hold_back: Annotated[
        bool,
        typer.Option(
            help="When a package fails, make a plan without it and rehearse that one too."
        ),
    ] = True,
    json: Json = False,
) -> None:
    """Try a plan on a twin of each class of its hosts: patch, check, roll back, check.

    What passed is not repeated until something that it rests on has changed, or it is older than
    the policy allows.

    Exit code 0: the plan, or the corrected one that is named at the end, passed; 1: it did not;
    4: inconclusive.
    """
    from suture.cli.asking import actor
    from suture.cli.output import console, plain, print_json
    from suture.cli.rehearsal_view import print_outcome, rehearsal_progress
    from suture.cli.workspace import workspace
    from suture.services import rehearsing

    try:
        with rehearsal_progress(quiet=json) as progress:
            outcome = rehearsing.rehearse(
                workspace(),
                plan,
                policy_file=policy,
                hold_back=hold_back,
                actor=actor(),
                progress=progress,
            )
    except KeyboardInterrupt:
        out = console(stderr=True)
        out.print(
            plain("Interrupted. ", "bold yellow")
            + plain("The twins are gone, and no host was patched; what had passed stays passed.")
        )
        out.print(plain(f"Go on with: suture rehearse {plan}"))
        raise
    if json:
        print_json(outcome)
    else:
        print_outcome(outcome)
    codes = {"pass": 0, "fail": 1, "inconclusive": 4}
    raise typer.Exit(codes[outcome.verdict.value])
