"""``suture exception``: findings that someone accepts for a time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import Json

if TYPE_CHECKING:
    from suture.services.exceptions import ExceptionStatus

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Accept findings for a time, with an owner, a reason and an end.",
)


@app.command()
def add(
    owner: Annotated[str, typer.Option(help="Who answers for it.")],
    reason: Annotated[str, typer.Option(help="Why it is accepted.")],
    until: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d"], help="The day on which the findings come back."),
    ],
    cve: Annotated[str, typer.Option(help="CVE-YYYY-NNNN")] = "",
    package: Annotated[str, typer.Option(help="A package, or a pattern such as linux-*.")] = "",
    on: Annotated[str, typer.Option(help="Hosts: a pattern of name, label or service.")] = "*",
    control: Annotated[str, typer.Option(help="What stands in for the fix meanwhile.")] = "",
) -> None:
    """Accept findings of a CVE, of a package, or of one in the other."""
    from suture.cli.asking import actor
    from suture.cli.output import console, plain
    from suture.cli.workspace import workspace
    from suture.services import exceptions

    made = exceptions.add(
        workspace(),
        cve=cve,
        package=package,
        on=on,
        owner=owner,
        reason=reason,
        until=until.date(),
        control=control,
        actor=actor(),
    )
    console().print(plain(f"{made.id} is in force until {made.expires}."))


@app.command("list")
def list_(json: Json = False) -> None:
    """Those in force, and those that ran out; the next to run out first."""
    from suture.cli.output import print_json
    from suture.cli.workspace import workspace
    from suture.services import exceptions

    found = exceptions.listing(workspace())
    if json:
        print_json({"exceptions": found})
    else:
        _print(found)


@app.command()
def remove(exception: Annotated[str, typer.Argument(metavar="ID", help="As listed.")]) -> None:
    """End one now; its findings are open again."""
    from suture.cli.asking import actor
    from suture.cli.output import console, plain
    from suture.cli.workspace import workspace
    from suture.services import exceptions

    exceptions.remove(workspace(), exception, actor())
    console().print(plain(f"{exception.upper()} is over; its findings are open again."))


def _print(found: tuple[ExceptionStatus, ...]) -> None:
    from suture.cli.output import console, plain, table

    out = console()
    if not found:
        out.print("No exceptions. Accept findings for a time: suture exception add --help")
        return
    made = table("Id", "CVE", "Package", "On", "Owner", "|Reason", "|Instead", "Ends")
    for one in found:
        exception = one.exception
        ends = f"{exception.expires} ({one.days_left} d)" if one.in_force else "ran out"
        made.add_row(
            plain(exception.id),
            plain(exception.cve or "any"),
            plain(exception.package or "any"),
            plain(exception.on),
            plain(exception.owner),
            plain(exception.reason),
            plain(exception.control),
            plain(ends, "" if one.in_force else "yellow"),
        )
    out.print(made)
