"""``suture openscap``: how hosts are configured, by the OpenSCAP that they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import AcceptNew, Json

if TYPE_CHECKING:
    from suture.services.openscap import ScapRun


def openscap(
    hosts: Annotated[
        list[str] | None, typer.Argument(metavar="HOST", help="Enrolled hosts; all without one.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="Only enrolled hosts with this label.")
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="A profile's id, or how it ends.")
    ] = "standard",
    content: Annotated[
        str,
        typer.Option(
            help="A data stream by its path on the hosts (default: the SCAP Security Guide for "
            "each host's release)."
        ),
    ] = "",
    time_limit: Annotated[
        int, typer.Option(min=1, max=1440, help="Minutes that it may take on a host.")
    ] = 30,
    accept_new: AcceptNew = False,
    json: Json = False,
) -> None:
    """Run OpenSCAP on the enrolled hosts where it is installed, and keep what it finds; see
    `suture findings --configuration`. Nothing is installed on a host.

    Exit code 0: every check passed; 1: checks failed; 2: usage; 3: a host could not be assessed,
    or not in all checks.
    """
    from suture.cli.asking import confirm_host_key
    from suture.cli.output import print_json
    from suture.cli.progress_view import host_progress
    from suture.cli.workspace import run, workspace
    from suture.services import openscap as service

    with host_progress(quiet=json) as progress:
        done = run(
            service.run(
                workspace(),
                names=tuple(hosts or ()),
                labels=tuple(label or ()),
                profile=profile,
                content=content,
                limit_s=60 * time_limit,
                accept_new=accept_new,
                ask=confirm_host_key,
                progress=progress,
            )
        )
    if json:
        print_json(done)
    else:
        _print(done)
    if done.exit_code:
        raise typer.Exit(done.exit_code)


def _print(done: ScapRun) -> None:
    from suture.cli.output import console, plain, table
    from suture.cli.scan_view import print_failures

    out = console()
    assessed = [one for one in done.hosts if one.failure is None]
    if assessed:
        counts = ("Passed", "Failed", "Undecided", "Other")
        made = table("Host", *counts, "|Content", right=counts)
        for one in assessed:
            numbers = (one.passed, one.failed, one.undecided, one.other)
            made.add_row(plain(one.host), *map(plain, numbers), plain(one.content))
        out.print(made)
    print_failures(out, tuple(one.failure for one in done.hosts if one.failure is not None))
    if done.report is not None:
        out.print(plain("What failed: suture findings --configuration", "dim"))
