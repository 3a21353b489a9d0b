"""``suture scan``: what is open on these hosts, what would close it, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import AcceptNew, Json

if TYPE_CHECKING:
    pass

_LEVELS = ("any", "low", "medium", "high", "critical", "none")


def scan(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="`local` or user@host[:port]; nothing but its key is recorded. Without a target "
            "the enrolled hosts are scanned, or those whose names are given, and what is seen is "
            "recorded.",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", "-i", help="Private key file of hosts given here (default: the SSH agent)."
        ),
    ] = None,
    jump: Annotated[
        str | None, typer.Option("--jump", "-J", help="Way to hosts given here: user@host[:port]")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="Only enrolled hosts with this label.")
    ] = None,
    accept_new: AcceptNew = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Run `apt-get update` on the hosts first.")
    ] = False,
    policy: Annotated[
        Path | None, typer.Option(help="Policy file (default: the workspace's, else built in).")
    ] = None,
    fail_on: Annotated[
        str, typer.Option(help=f"Lowest severity that makes exit code 1: {', '.join(_LEVELS)}.")
    ] = "any",
    every: Annotated[
        bool, typer.Option("--all", help="List every finding, not only those by patch.")
    ] = False,
    json: Json = False,
) -> None:
    """Find vulnerabilities, on hosts given here or on the enrolled fleet.

    Exit code 0: none found; 1: findings at or above --fail-on; 2: usage; 3: a host could not be
    assessed.
    """
    if fail_on not in _LEVELS:
        raise typer.BadParameter(f"expected one of {', '.join(_LEVELS)}", param_hint="--fail-on")
    from suture.cli.asking import confirm_host_key
    from suture.cli.progress_view import host_progress
    from suture.cli.workspace import run, workspace
    from suture.services import scanning

    with host_progress(quiet=json) as progress:
        result = run(
            scanning.scan(
                workspace(),
                targets=tuple(targets or ()),
                labels=tuple(label or ()),
                key=key,
                jump=jump,
                policy_file=policy,
                refresh=refresh,
                accept_new=accept_new,
                ask=confirm_host_key,
                progress=progress,
            )
        )
    if json:
        from suture.cli.output import print_json

        print_json(result.report)
    else:
        from suture.cli.output import console
        from suture.cli.scan_view import print_scan

        print_scan(console(), result, every=every)
    code = scanning.exit_code(result.report, fail_on)
    if code:
        raise typer.Exit(code)
