"""``suture backups``: what hosts keep for the way back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import Json

if TYPE_CHECKING:
    from suture.core.backups import Bundle
    from suture.services.backups import HostBackups, Pruned

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Return bundles: what the way back needs."
)

Hosts = Annotated[
    list[str] | None, typer.Argument(metavar="HOST", help="Enrolled hosts; all without one.")
]
Policy = Annotated[Path | None, typer.Option(help="Policy file.")]

_SHOWN = 3


@app.command("list")
def list_(
    hosts: Hosts = None,
    check: Annotated[
        bool, typer.Option("--check", help="Read each bundle back again, every byte of it.")
    ] = False,
    policy: Policy = None,
    json: Json = False,
) -> None:
    """The return bundles on hosts: age, size, what each would bring back, until when it stays.

    Examples: suture backups list; suture backups list web1 --check.

    Exit code 0: all is well; 1: a bundle does not read back; 3: a host could not be asked.
    """
    from suture.cli.output import print_json
    from suture.cli.workspace import run, workspace
    from suture.services import backups

    found = run(backups.listing(workspace(), tuple(hosts or ()), check=check, policy_file=policy))
    if json:
        print_json({"hosts": found})
    else:
        _print(found)
    if any(one.failure for one in found):
        raise typer.Exit(3)
    if any(kept.bundle.reads is False for one in found for kept in one.bundles):
        raise typer.Exit(1)


@app.command()
def prune(hosts: Hosts = None, policy: Policy = None, json: Json = False) -> None:
    """Remove the return bundles that the policy lets go: by age, and beyond the disk budget.

    The last ones of a host stay, and those of rollouts that are not over or soak. Rollouts do the
    same by themselves.

    Exit code 0: done; 3: a host could not be worked with.
    """
    from suture.cli.output import print_json
    from suture.cli.workspace import run, workspace
    from suture.services import backups

    done = run(backups.prune(workspace(), tuple(hosts or ()), policy_file=policy))
    if json:
        print_json({"hosts": done})
    else:
        _print_pruned(done)
    if any(one.failure for one in done):
        raise typer.Exit(3)


def _print(found: tuple[HostBackups, ...]) -> None:
    from datetime import UTC, datetime

    from suture.cli.output import console, count, duration, plain, table

    now = datetime.now(UTC)
    made = table("Host", "Bundle", "Age", "MiB", "Read back", "|Brings back", "|Stays until")
    for one in found:
        for kept in one.bundles:
            bundle = kept.bundle
            until = f"{kept.until:%Y-%m-%d}, " if kept.until else ""
            made.add_row(
                plain(one.host),
                plain(bundle.id[:12]),
                plain(duration(max(0.0, (now - bundle.made_at).total_seconds()))),
                plain(f"{bundle.kib / 1024:.0f}"),
                plain(_read_back(bundle), "" if _reads(bundle) else "bold red"),
                plain(_contents(bundle), limit=400),
                plain(until + kept.reason),
            )
    asked = sum(one.failure is None for one in found)
    if made.row_count:
        console().print(made)
    elif asked:
        hosts = "" if asked == len(found) else f" on the {count(asked, 'host')} that answered"
        console().print(f"No return bundles{hosts}.")
    for one in found:
        if one.failure:
            said = plain(f"{one.failure.message}; {one.failure.remedy}", "red")
            console().print(plain(f"{one.host}: ", "bold") + said)


def _reads(bundle: Bundle) -> bool:
    return bundle.complete and bundle.reads is not False


def _read_back(bundle: Bundle) -> str:
    if not bundle.complete:
        return "not finished"
    return {None: "when made", True: "now", False: "DOES NOT"}[bundle.reads]


def _contents(bundle: Bundle) -> str:
    names = [
        f"{one.package.partition(':')[0]} {one.before or '(removed)'}" for one in bundle.packages
    ]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    data = f"; data: {', '.join(bundle.data[:_SHOWN])}" if bundle.data else ""
    return ", ".join(names[:_SHOWN]) + more + data


def _print_pruned(done: tuple[Pruned, ...]) -> None:
    from suture.cli.output import console, plain

    for one in done:
        if one.failure:
            said = plain(f"{one.failure.message}; {one.failure.remedy}", "red")
        else:
            count = len(one.removed)
            said = plain(f"{count} bundle{'' if count == 1 else 's'} removed")
        console().print(plain(f"{one.host}: ", "bold") + said)
