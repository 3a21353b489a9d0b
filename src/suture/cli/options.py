"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
AcceptNew = Annotated[
    bool,
    typer.Option(
        "--accept-new",
        help="Pin the key of hosts never seen before without asking; a changed key is refused.",
    ),
]
