"""``suture feeds``: what publishers say about vulnerabilities, kept up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import Json

if TYPE_CHECKING:
    from suture.services.feeds import FeedStatus
    from suture.services.syncing import Synced

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Publishers' advisories, scores and catalogues of exploited vulnerabilities.",
)


@app.command()
def sync(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FEED]...", help="Default: what concerns the enrolled hosts, and all scores."
        ),
    ] = None,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Take a feed that has shrunk or gone back in time as well."),
    ] = False,
    json: Json = False,
) -> None:
    """Fetch what has changed. Exit code 3 when a feed could not be synced; its last good state
    stays in use."""
    from suture.cli.feeds_view import print_synced, sync_progress
    from suture.cli.output import print_json
    from suture.cli.workspace import workspace
    from suture.feeds.catalogue import catalogue
    from suture.services import syncing

    done: list[Synced] = []
    with sync_progress(quiet=json) as progress:
        for one in syncing.sync(
            workspace(), catalogue(), tuple(names or ()), accept=accept, progress=progress
        ):
            done.append(one)
            if not json:
                print_synced(one)
    if json:
        print_json({"feeds": done})
    if any(one.outcome is syncing.Outcome.FAILED for one in done):
        raise typer.Exit(3)


@app.command()
def status(json: Json = False) -> None:
    """How old each feed is, what it holds, and what went wrong. Exit code 1 when one is stale."""
    from suture.cli.feeds_view import print_status
    from suture.cli.output import print_json
    from suture.cli.workspace import workspace
    from suture.feeds.catalogue import catalogue
    from suture.services import feeds

    found: tuple[FeedStatus, ...] = feeds.status(workspace(), catalogue())
    if json:
        print_json({"feeds": found})
    else:
        print_status(found)
    if any(one.stale for one in found):
        raise typer.Exit(1)


@app.command("add-mirror")
def add_mirror(
    feed: Annotated[str, typer.Argument(help="A feed's name; see `suture feeds status`.")],
    place: Annotated[
        str, typer.Argument(metavar="URL|DIRECTORY", help="It has the publisher's own layout.")
    ],
) -> None:
    """Take a feed from somewhere else than its official address."""
    _set_mirror(feed, place)


@app.command("remove-mirror")
def remove_mirror(
    feed: Annotated[str, typer.Argument(help="A feed's name; see `suture feeds status`.")],
) -> None:
    """Take a feed from its official address again."""
    _set_mirror(feed, "")


def _set_mirror(feed: str, place: str) -> None:
    from suture.cli.output import console, plain
    from suture.cli.workspace import workspace
    from suture.feeds.catalogue import catalogue
    from suture.services import feeds

    known = catalogue()
    kept = feeds.set_mirror(workspace(), known, feed, place)
    out = console()
    out.print(plain(f"{feed} comes from {kept or known[feed].url} from the next sync on."))
    if kept.startswith("http://"):
        out.print(plain("That is not encrypted: anyone on the way can change it.", "bold yellow"))


@app.command()
def export(
    output: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write (.tar.xz).")],
) -> None:
    """Write all that the feeds say into one file, for where no network is."""
    from suture.cli.feeds_view import naming
    from suture.cli.output import console, plain, size
    from suture.cli.workspace import workspace
    from suture.services import bundles

    with naming("exporting") as progress:
        names = bundles.export(workspace(), output, progress)
    console().print(plain(f"{output}: {', '.join(names)}; {size(output.stat().st_size)}"))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file that `suture feeds export` wrote.")],
    accept: Annotated[
        bool, typer.Option("--accept", help="Take feeds that are newer here as well.")
    ] = False,
    json: Json = False,
) -> None:
    """Take over what a file from `suture feeds export` says; all of it or nothing."""
    from suture.cli.feeds_view import naming, print_imported
    from suture.cli.output import print_json
    from suture.cli.workspace import workspace
    from suture.services import bundles

    with naming("importing", quiet=json) as progress:
        states = bundles.load(workspace(), file, progress, accept=accept)
    if json:
        print_json({"feeds": states})
    else:
        print_imported(states)
