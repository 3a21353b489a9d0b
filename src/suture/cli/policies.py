"""``suture policy``: what the organisation wants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suture.cli.options import Json

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Show and check the policy document."
)


@app.command()
def show(
    file: Annotated[Path | None, typer.Argument(help="Policy file (default: in force).")] = None,
    json: Json = False,
) -> None:
    """The policy in force, with every default filled in."""
    import sys

    from suture.cli.output import print_json
    from suture.cli.workspace import workspace
    from suture.services import policies

    policy, source = policies.load(workspace(), file)
    if json:
        print_json(policy)
        return
    import msgspec

    typer.echo(f"# From {source}")
    sys.stdout.write(msgspec.yaml.encode(policy).decode())


@app.command()
def check(file: Annotated[Path, typer.Argument(help="Policy file.")]) -> None:
    """Check a policy file; an error names the file, the line and the key.

    The files of test suites that it names must be there.
    """
    from suture.cli.output import console, plain
    from suture.cli.workspace import workspace
    from suture.services import policies

    policy, _ = policies.check(workspace(), file)
    rings = " → ".join(ring.name for ring in policy.rings)
    console().print(plain(f"{file}: fine. Rings: {rings}."))


@app.command()
def example() -> None:
    """A commented policy with the defaults, to start a file from."""
    from suture.core.policy import EXAMPLE

    typer.echo(EXAMPLE, nl=False)
