"""``suture db``: where the data is, and moving it to another database."""

from __future__ import annotations

from typing import Annotated

import typer

from suture.cli.options import Json

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="See the database, or move to another."
)

Url = "sqlite:////path/suture.sqlite or postgresql+psycopg://user@host/name"


@app.command()
def status(json: Json = False) -> None:
    """Where the database is, its schema and size, and who is at work on it."""
    from suture.cli.output import console, count, plain, print_json, size, table
    from suture.cli.workspace import workspace
    from suture.services import databases

    found = databases.status(workspace())
    if json:
        print_json(found)
        return
    out = console()
    out.print(plain(found.place, "bold") + plain(f"  {found.kind}, {size(found.size)}"))
    made = table("Table", "Rows", right=("Rows",))
    for name, rows in found.rows.items():
        made.add_row(plain(name), plain(f"{rows:,}"))
    out.print(made)
    out.print(plain(f"Schema {found.schema}; {count(len(found.workers), 'worker')} at work"))
    if found.unfinished:
        out.print(plain(f"Unfinished rollouts: {', '.join(found.unfinished)}"))


@app.command()
def migrate(
    source: Annotated[str, typer.Argument(help=f"The database as it is: {Url}.")],
    target: Annotated[str, typer.Argument(help="An empty database, by its URL.")],
    json: Json = False,
) -> None:
    """Copy everything to another database, and check the copy; rollouts go on there.

    Stop all workers and rollouts first; it refuses while one is alive. Then set SUTURE_DATABASE
    to the target. The source stays as it is.

    Example: `suture db migrate sqlite:////var/lib/suture/suture.sqlite
    postgresql+psycopg://suture@db/suture`

    Exit code 0: copied, and the event log is whole there; 2: refused, and why.
    """
    from suture.cli.output import console, count, plain, print_json
    from suture.services import databases

    moved = databases.migrate(source, target)
    if json:
        print_json(moved)
        return
    out = console()
    rows = count(sum(moved.rows.values()), "row")
    out.print(plain(f"Copied {rows} to {moved.target}", "bold"))
    out.print(plain(f"Event log: {count(moved.events, 'event')}, whole, head {moved.head}"))
    for rollout in moved.unfinished:
        out.print(plain(f"  suture rollout watch {rollout}") + plain("   goes on there", "dim"))
    out.print(plain("From now on, for every command and worker: SUTURE_DATABASE=<the target>"))
