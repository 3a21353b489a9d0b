"""``suture rollout`` and ``verify``: doing it, proving it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import Json

if TYPE_CHECKING:
    from suture.core.rollout.state import Signal
    from suture.services.rollouts import RolloutView

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Start, watch and steer rollouts."
)

_LAST_EVENTS = 20

RolloutId = Annotated[str, typer.Argument(help="Rollout id, its beginning, or `latest`.")]
Policy = Annotated[Path | None, typer.Option(help="Policy file.")]
Why = Annotated[str, typer.Option("--reason", help="Why, for the record.")]
Hosts = Annotated[list[str] | None, typer.Option("--host", help="Only this host.")]


@app.command()
def start(
    plan: Annotated[str, typer.Argument(help="Plan id, its beginning, or `latest`.")],
    without_rehearsal: Annotated[
        bool,
        typer.Option(
            "--without-rehearsal", help="Roll out although no rehearsal passed; the record says so."
        ),
    ] = False,
    policy: Policy = None,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", help="Only record it; a worker or `suture rollout watch` does it."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Roll a plan out and watch it; outside of its windows it waits for the next one.

    Exit code 0: done, every host patched or left alone; 1: hosts were taken back or are not well;
    4: paused or waiting for approval.
    """
    from suture.cli.asking import actor
    from suture.cli.output import console, plain
    from suture.cli.rollout_view import print_waiting
    from suture.cli.workspace import workspace
    from suture.services import rollouts

    rollout, found = rollouts.start(
        workspace(),
        plan,
        policy_file=policy,
        actor=actor(),
        without_rehearsal=without_rehearsal,
    )
    console(stderr=json).print(
        plain(f"Rollout {rollout} of plan {found.id}: {len(found.hosts)} hosts", "bold")
    )
    if detach:
        print_waiting(console(stderr=json), rollouts.view(workspace(), rollout))
    else:
        _drive(rollout, policy, json)


@app.command()
def watch(
    rollout: RolloutId,
    every: Annotated[
        bool, typer.Option("--all", help="Show what happened so far from the beginning.")
    ] = False,
    policy: Policy = None,
    json: Json = False,
) -> None:
    """Go on with a rollout where it stands, also after a crash, and watch it.

    Where a `suture worker` is at work, that one does it, and it is only followed here. Of what
    happened so far the last 20 events are shown, and a count of the rest.

    Examples: `suture rollout watch latest`; `suture rollout watch latest --all >night.log`.
    """
    _drive(rollout, policy, json, every=every)


@app.command()
def status(rollout: RolloutId = "latest", json: Json = False) -> None:
    """Where a rollout stands, host by host; nothing is driven."""
    from suture.cli.output import console, print_json
    from suture.cli.rollout_view import print_rollout
    from suture.cli.workspace import workspace
    from suture.services import rollouts

    view = rollouts.view(workspace(), rollout)
    if json:
        print_json(view)
    else:
        print_rollout(console(), view)


@app.command("list")
def list_(json: Json = False) -> None:
    """All rollouts, newest first."""
    from suture.cli.output import console, plain, print_json, styled, table
    from suture.cli.workspace import workspace
    from suture.services import rollouts

    found = rollouts.listing(workspace())
    if json:
        print_json({"rollouts": found})
        return
    if not found:
        console().print("No rollouts yet. Start one: suture rollout start PLAN")
        return
    made = table("Rollout", "Plan", "Status", "Started", "|By", "|Why")
    for one in found:
        made.add_row(
            plain(one.id),
            plain(one.plan),
            styled(one.state.status),
            plain(one.started_at.strftime("%Y-%m-%d %H:%M UTC")),
            plain(one.actor),
            plain(one.state.reason),
        )
    console().print(made)


@app.command()
def pause(rollout: RolloutId, reason: Why = "") -> None:
    """Start nothing new; hosts at work finish."""
    from suture.core.rollout.state import Signal

    _say(rollout, Signal.PAUSE, reason)


@app.command()
def resume(rollout: RolloutId, reason: Why = "", policy: Policy = None, json: Json = False) -> None:
    """Accept what failed so far and go on."""
    from suture.core.rollout.state import Signal

    _say(rollout, Signal.RESUME, reason)
    _drive(rollout, policy, json)


@app.command()
def approve(
    rollout: RolloutId,
    ring: Annotated[str, typer.Option(help="All waves to come of this ring.")] = "",
    role: Annotated[str, typer.Option("--as", help="The role as which you approve.")] = "",
    reason: Why = "",
    policy: Policy = None,
    detach: Annotated[bool, typer.Option("--detach", help="Only record it.")] = False,
    json: Json = False,
) -> None:
    """Let the next wave start, as one of those who have to agree, and go on.

    Who you are is what the system says, behind sudo as well; one person counts once.
    Exit code as `rollout start`.
    """
    from suture.cli.asking import actor
    from suture.cli.output import console, plain
    from suture.cli.rollout_view import print_approvals
    from suture.cli.workspace import workspace
    from suture.services import approving, rollouts

    there = workspace()
    after = approving.approve_rollout(
        there, rollout, actor=actor(), role=role, ring=ring, reason=reason
    )
    out = console(stderr=True)
    out.print(plain(f"Approved; rollout {after.id} is {after.state.status.value}"))
    if detach:
        print_approvals(out, rollouts.view(there, after.id))
    else:
        _drive(after.id, policy, json)


@app.command()
def abort(rollout: RolloutId, reason: Why = "", policy: Policy = None, json: Json = False) -> None:
    """Never start anything new; hosts at work finish, failed ones are taken back."""
    from suture.core.rollout.state import Signal

    _say(rollout, Signal.ABORT, reason)
    _drive(rollout, policy, json, check=False)


@app.command("catch-up")
def catch_up(
    rollout: RolloutId = "latest",
    host: Hosts = None,
    policy: Policy = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Only record it; `suture rollout watch` then does it.")
    ] = False,
    json: Json = False,
) -> None:
    """Patch the hosts that were away in a rollout, by the same plan and within its rules.

    Each is looked at first. One whose packages have changed since needs another plan.

    Exit code 0: done, or still away; 1: hosts were taken back or are not well, or need another
    plan; 4: paused or waiting for approval.
    """
    from suture.cli.asking import actor
    from suture.cli.output import console, print_json
    from suture.cli.rollout_view import print_caught_up
    from suture.cli.workspace import workspace
    from suture.services import catching_up

    found = catching_up.catch_up(
        workspace(), rollout, tuple(host or ()), policy_file=policy, actor=actor()
    )
    driven = bool(found.rollout) and not detach
    if json and not driven:
        print_json(found)
    else:
        print_caught_up(console(stderr=json), found)
    if driven:
        _drive(found.rollout, policy, json)
    if found.changed:
        raise typer.Exit(1)


def verify(
    rollout: RolloutId = "latest",
    plan: Annotated[
        str, typer.Option(help="A plan that was carried out by hand, in place of a rollout.")
    ] = "",
    host: Hosts = None,
    policy: Policy = None,
    json: Json = False,
) -> None:
    """Ask the hosts, now, whether everything that a rollout did still holds.

    Hosts that it left alone, or that were taken back since, are not asked, and named.

    With `--plan`: whether they are as the plan says, whoever made them so; recorded as done by
    hand.

    Exit code 0: it does; 1: it does not on some host; 3: a host could not say.
    """
    from suture.cli.asking import actor
    from suture.cli.output import console, print_json
    from suture.cli.rollout_view import print_proofs
    from suture.cli.workspace import run, workspace
    from suture.services import by_hand, rollouts

    there, names = workspace(), tuple(host or ())
    if plan:
        proofs = run(by_hand.verify(there, plan, names, policy_file=policy, actor=actor()))
        found = rollouts.Verified(proofs)
    else:
        found = run(rollouts.verify(there, rollout, names, policy_file=policy))
    if json:
        print_json(found)
    else:
        print_proofs(console(), found)
    verdicts = {proof.verdict.value for proof in found.hosts}
    if "fail" in verdicts:
        raise typer.Exit(1)
    if "inconclusive" in verdicts:
        raise typer.Exit(3)


def _say(rollout: str, signal: Signal, reason: str) -> None:
    from suture.cli.asking import actor
    from suture.cli.output import console, plain
    from suture.cli.workspace import workspace
    from suture.services import rollouts

    after = rollouts.say(workspace(), rollout, signal, actor=actor(), reason=reason)
    console(stderr=True).print(
        plain(f"{signal.value}: taken; rollout {after.id} is {after.state.status.value}")
    )


def _drive(
    rollout: str, policy: Path | None, json: bool, *, check: bool = True, every: bool = False
) -> None:
    from suture.cli.output import console, print_json
    from suture.cli.rollout_view import exit_code, print_rollout

    view = drive(rollout, policy, quiet=json, every=every)
    if json:
        print_json(view)
    else:
        print_rollout(console(), view)
    code = exit_code(view) if check else 0
    if code:
        raise typer.Exit(code)


def drive(rollout: str, policy: Path | None, *, quiet: bool, every: bool = False) -> RolloutView:
    """Drive a rollout and show it, until it is over or waits for a person; of what happened so far
    ``every`` event, or the last ones."""
    from suture.cli.output import console, plain
    from suture.cli.rollout_live import live
    from suture.cli.workspace import workspace
    from suture.services import rollouts

    there = workspace()
    view = rollouts.view(there, rollout)
    earlier = None if every else rollouts.before_last(there, view.rollout.id, _LAST_EVENTS)
    try:
        with live(view, quiet=quiet, earlier=earlier) as (on_event, on_tick):
            return rollouts.drive(
                there, view.rollout.id, policy_file=policy, on_event=on_event, on_tick=on_tick
            )
    except KeyboardInterrupt:
        console(stderr=True).print(
            plain("Interrupted. ", "bold yellow")
            + plain("Hosts finish what they are at by themselves; nothing is lost. ")
            + plain(f"Go on with: suture rollout watch {view.rollout.id}")
        )
        raise
