"""``suture evidence``: that the record is whole, and all of it in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from suture.services.evidence import EvidenceVerdict

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Prove and export what was done."
)


@app.command()
def verify(json: Json = False) -> None:
    """Prove the event log whole, and the plans, rehearsals and reports as it says of them.

    Exit code 1 when something was tampered with. Keep the printed head somewhere else: it is what
    shows a missing end.
    """
    from suture.cli.output import console, plain, print_json
    from suture.cli.workspace import workspace
    from suture.services import evidence

    found = evidence.verify(workspace())
    if json:
        print_json(found)
    elif found.is_whole:
        console().print(
            plain("Whole: ", "green") + plain(f"{found.events} events, head {found.head}")
        )
    else:
        _print_faults(console(), found)
    if not found.is_whole:
        raise typer.Exit(1)


def _print_faults(out: Console, found: EvidenceVerdict) -> None:
    from suture.cli.output import plain

    if found.broken_at is not None:
        out.print(
            plain("Broken", "bold red")
            + plain(f" at event {found.broken_at}: {found.reason}. Before it, {found.events} fit.")
        )
    for name in found.altered:
        out.print(plain("Altered or missing: ", "bold red") + plain(name))


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
    if not verdict.is_whole:
        _print_faults(console(stderr=True), verdict)
        raise typer.Exit(1)
