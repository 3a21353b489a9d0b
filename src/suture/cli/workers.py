"""``suture worker``: a process that drives all rollouts, and who is at work."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import Json

if TYPE_CHECKING:
    from suture.services.working import Started

app = typer.Typer(
    rich_markup_mode=None,
    help="Drive all rollouts of the database, several processes at a time.",
)


@app.callback(invoke_without_command=True)
def worker(
    context: typer.Context,
    jump: Annotated[
        list[str] | None,
        typer.Option(
            help="Work only on hosts behind this jump host, written as they were enrolled with."
        ),
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="Work only on hosts with this label."),
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
) -> None:
    """Drive all unfinished rollouts, until SIGTERM or Ctrl-C.

    Any number may run, on one machine with SQLite, on several with PostgreSQL. One that ends or
    dies is replaced by the others. Start rollouts with `suture rollout start --detach`, and see
    who is at work with `suture worker list`. While a worker of a site is alive, by jump host or by
    label, the others leave its hosts to it.

    Examples: `suture worker`; `suture worker --jump ops@bastion-berlin`; `suture worker --site
    berlin`.

    Exit code 0: stopped by a signal, the work at hand was let go of; 2: no database or a wrong
    policy, or it was frozen for so long that others took over. Start it again then.
    """
    if context.invoked_subcommand is not None:
        return
    if not all((*(jump or ()), *(site or ()))):
        raise typer.BadParameter("--jump and --site need a name; leave them out for all hosts")
    from suture.cli.output import console, count, plain
    from suture.cli.workspace import workspace
    from suture.services import working

    out = console(stderr=True)

    def on_start(started: Started, stop: Callable[[], None]) -> None:
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda number, frame: stop())
        me = started.worker
        ways = [f"behind {one}" for one in me.jumps] + [f"with label {one}" for one in me.sites]
        what = f"{count(started.hosts, 'host')} {' or '.join(ways)}" if ways else "all hosts"
        out.print(plain(f"Worker {me.id}: {what}", "bold"))
        out.print(plain(started.database))

    working.serve(
        workspace(),
        policy_file=policy,
        jumps=tuple(jump or ()),
        sites=tuple(site or ()),
        on_start=on_start,
    )
    out.print(plain("Stopped. Hosts finish what they are at by themselves; others go on."))


@app.command("list")
def list_(json: Json = False) -> None:
    """Who is at work on the database: workers, and rollouts driven in a terminal."""
    from suture.cli.output import console, duration, plain, print_json, table
    from suture.cli.workspace import workspace
    from suture.services import working

    found = working.listing(workspace())
    if json:
        print_json({"workers": found})
        return
    if not found:
        console().print("No worker is at work. Start one: suture worker")
        return
    made = table("Worker", "For", "Last heartbeat", "Drives", "|Only", "|At work on")
    for one in found:
        silent = "bold yellow" if one.is_silent else ""
        hosts = ", ".join(one.hosts[:5]) + (", …" if len(one.hosts) > 5 else "")
        made.add_row(
            plain(one.worker.id),
            plain(duration(one.since_s)),
            plain(f"{duration(one.heartbeat_s)} ago{', silent' if one.is_silent else ''}", silent),
            plain(one.worker.drives or "all rollouts"),
            plain(", ".join((*one.worker.jumps, *one.worker.sites))),
            plain(f"{len(one.hosts)}: {hosts}" if one.hosts else "nothing"),
        )
    console().print(made)
    if working.nobody_is_unbound(found):
        console().print(
            plain(
                "All of them are bound to sites, and work on hosts of no site too, where they can "
                "reach them. For one that is at home there: suture worker",
                "bold yellow",
            )
        )
