"""``suture drill``: proving the way back regularly."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import Json

if TYPE_CHECKING:
    from rich.text import Text

    from suture.services.drilling import Drills
    from suture.services.drills import Proven

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Prove the way back on fresh twins, and see when that was last done.",
)

_CODES = {"pass": 0, "fail": 1, "inconclusive": 4}


@app.command()
def run(
    host: Annotated[
        list[str] | None,
        typer.Argument(help="Enrolled hosts; without, one for all that have the same packages."),
    ] = None,
    due: Annotated[
        bool, typer.Option("--due", help="Only those for which it is time (drill.every).")
    ] = False,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
    json: Json = False,
) -> None:
    """Install what is pending on a twin of the host, take it back, and check that all is as before.

    Where nothing is pending, the last rollout is taken back on the twin. No host is changed.

    Examples: suture drill run web1 · suture drill run --due (for a timer)

    Exit code 0: every way back held, or none was due; 1: one did not; 4: inconclusive.
    """
    from suture.cli.asking import actor
    from suture.cli.output import print_json
    from suture.cli.rehearsal_view import step_progress
    from suture.cli.workspace import workspace
    from suture.services import drilling

    with step_progress(quiet=json) as (on_stage, on_report):
        done = drilling.drill(
            workspace(),
            tuple(host or ()),
            due=due,
            policy_file=policy,
            actor=actor(),
            on_stage=on_stage,
            on_report=on_report,
        )
    if json:
        print_json(done)
    else:
        _print_done(done)
    raise typer.Exit(_CODES[done.verdict.value])


@app.command("list")
def list_(json: Json = False) -> None:
    """Every host, and when its way back was last proved."""
    from suture.cli.output import console, plain, print_json, styled, table
    from suture.cli.workspace import workspace
    from suture.services import drills

    found = drills.proven(workspace())
    if json:
        print_json({"hosts": found})
        return
    if not found:
        console().print("No hosts were scanned yet. Scan them: suture scan")
        return
    made = table("Host", "Way back proved", "|On a twin of", "Last drill")
    for one in found:
        last = styled(one.verdict) if one.verdict else plain("none", "dim")
        made.add_row(plain(one.host), proved(one), plain(one.on), last)
    console().print(made)


def proved(one: Proven) -> Text:
    """``3 d ago``, and whether that is too long ago."""
    from datetime import UTC, datetime

    from suture.cli.output import ago, plain

    age = ago(one.proved_at, datetime.now(UTC)) if one.proved_at else "never"
    if one.overdue:
        return plain(f"{age}, overdue", "yellow")
    return plain(age, "" if one.proved_at else "dim")


def print_proven(found: Iterable[Proven]) -> None:
    """Hosts by how long ago their way back was proved; nothing where nobody asked for drills."""
    from suture.cli.output import console, plain

    by_age: dict[str, list[str]] = {}
    for one in found:
        if one.verdict is not None or one.overdue:
            by_age.setdefault(proved(one).plain, []).append(one.host)
    for age, names in by_age.items():
        console().print(
            plain("Way back drilled: ", "bold") + plain(f"{age} ({', '.join(names)})", limit=2000)
        )


def _print_done(done: Drills) -> None:
    from suture.cli.output import console, duration, plain, styled, table

    out = console()
    if done.done:
        made = table("Host", "Taken back", "Packages", "Verdict", "Took", "|Why")
        for one in done.done:
            made.add_row(
                plain(one.host),
                plain(f"rollout {one.rollout}" if one.rollout else "what is pending"),
                plain(one.packages),
                styled(one.verdict),
                plain(duration(one.seconds)),
                plain(one.reason, limit=1500),
            )
        out.print(made)
    for name in done.nothing:
        out.print(plain(f"{name}: nothing is pending, and nothing was rolled out to take back"))
    if not (done.done or done.nothing):
        out.print("No drill is due.")
