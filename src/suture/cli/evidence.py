"""``suture evidence``: that the record is whole, and all of it in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suture.cli.options import Json

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Prove and export what was done."
)


@app.command()
def verify(json: Json = False) -> None:
    """Prove the event log whole. Exit code 1 when it was tampered with.

    Keep the printed head somewhere else: it is what shows a missing end.
    """
    from suture.cli.output import console, plain, print_json
    from suture.cli.workspace import workspace
    from suture.services import evidence

    found = evidence.verify(workspace())
    if json:
        print_json(found)
    elif found.broken_at is None:
        console().print(
            plain("Whole: ", "green") + plain(f"{found.events} events, head {found.head}")
        )
    else:
        console().print(
            plain("Broken", "bold red")
            + plain(f" at event {found.broken_at}: {found.reason}. Before it, {found.events} fit.")
        )
    if found.broken_at is not None:
        raise typer.Exit(1)


@app.command()
def export(
    rollout: Annotated[str, typer.Argument(help="Rollout id, its beginning, or `latest`.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write (.tar.gz).")
    ] = None,
) -> None:
    """Write all that was planned, rehearsed, done and seen in a rollout."""
    from suture.cli.output import console, plain
    from suture.cli.workspace import workspace
    from suture.services import evidence

    path, verdict = evidence.export(workspace(), rollout, output)
    console().print(plain(f"{path}: {verdict.events} events, head {verdict.head}"))
    if verdict.broken_at is not None:
        console(stderr=True).print(
            plain(f"The log is broken at event {verdict.broken_at}: {verdict.reason}", "bold red")
        )
        raise typer.Exit(1)
