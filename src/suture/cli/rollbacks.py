"""``suture rollback``: what would go back, a question, and doing it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from suture.cli.options import Json

RolloutId = Annotated[str, typer.Argument(help="Rollout id, its beginning, or `latest`.")]


def rollback(
    rollout: RolloutId,
    host: Annotated[list[str] | None, typer.Option("--host", help="Only this host.")] = None,
    wave: Annotated[
        list[int] | None, typer.Option("--wave", min=1, help="Only the hosts of this wave.")
    ] = None,
    ring: Annotated[
        list[str] | None, typer.Option("--ring", help="Only the hosts of this ring.")
    ] = None,
    package: Annotated[
        list[str] | None,
        typer.Option("--package", help="Only this source package and its files."),
    ] = None,
    keep_changed: Annotated[
        bool,
        typer.Option(
            "--keep-changed",
            help="Leave configuration files as they are that somebody changed after the patch.",
        ),
    ] = False,
    accept_changed_data: Annotated[
        bool,
        typer.Option(
            "--accept-changed-data",
            help="Take a database's old version back although its data was converted.",
        ),
    ] = False,
    with_data: Annotated[
        bool,
        typer.Option(
            "--with-data",
            help="Also put data directories and dumps of the bundle back; what was written since "
            "is lost to the programs, and kept beside.",
        ),
    ] = False,
    snapshot: Annotated[
        bool,
        typer.Option(
            "--snapshot",
            help="The last resort: whole file systems, or the machine, as they were; by a reboot.",
        ),
    ] = False,
    accept_data_loss: Annotated[
        bool,
        typer.Option(
            "--accept-data-loss", help="With --snapshot: lose all that was written since."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would go back; change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
    json: Json = False,
) -> None:
    """Take hosts back to exactly what they were before a rollout, also days later.

    Each host is asked first: what would go back is shown, and what is not safe any more is left
    alone with the reason. Without a terminal, --yes is needed. --host, --wave and --ring narrow
    each other down.

    Examples: suture rollback latest --dry-run; suture rollback latest --ring canary --yes;
    suture rollback latest --host web1 --package nginx.

    Exit code 0: they are back, verified (--dry-run: all could); 1: some are not.
    """
    from suture.cli.asking import actor
    from suture.cli.output import console, plain, print_json
    from suture.cli.rollback_view import print_left, print_proposal
    from suture.cli.rollout_view import print_rollout
    from suture.cli.rollouts import drive
    from suture.cli.workspace import run, workspace
    from suture.core.rollout.ways_back import WayBack
    from suture.services import rollbacks

    if snapshot and (package or with_data):
        raise typer.BadParameter("--snapshot brings everything back; drop --package, --with-data")
    how = WayBack(
        tuple(package or ()),
        keep_changed,
        accept_changed_data,
        with_data,
        snapshot,
        accept_data_loss,
    )
    wish = rollbacks.Wish(tuple(host or ()), tuple(wave or ()), tuple(ring or ()), how)
    proposal = run(rollbacks.propose(workspace(), rollout, wish, policy_file=policy))
    if dry_run and json:
        print_json(proposal)
    else:
        print_proposal(console(stderr=json), proposal)
    if dry_run:
        raise typer.Exit(0 if len(proposal.ready) == len(proposal.hosts) else 1)
    if proposal.ready and not yes:
        _confirm(len(proposal.ready))
    who = actor()
    why = f"{who}: {reason}" if reason else f"asked for by {who}"
    rollbacks.begin(workspace(), proposal, actor=who, reason=why)
    view = drive(proposal.rollout, policy, quiet=json)
    if json:
        print_json(view)
    else:
        print_rollout(console(), view)
    left = print_left(console(stderr=True), view, proposal)
    if left:
        console(stderr=True).print(plain(f"Not taken back: {', '.join(left)}", "bold"))
        raise typer.Exit(1)


def _confirm(count: int) -> None:
    from suture.services.errors import RefusedError

    if not sys.stdin.isatty():
        raise RefusedError("nobody is there to confirm this", "Add --yes, or look with --dry-run.")
    hosts = "this host" if count == 1 else f"these {count} hosts"
    sys.stderr.write(f"Take {hosts} back? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RefusedError("nothing was taken back, as you said")
