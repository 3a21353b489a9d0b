"""``suture control``: configuration changes that stand in for a patch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import Json

if TYPE_CHECKING:
    from suture.services.controls import ControlStatus

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Keep controls: configuration changes that plans apply until a patch comes.",
)

ControlId = Annotated[str, typer.Argument(help="The control's id.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """All controls, and on how many hosts each is in force."""
    from suture.cli.output import console, plain, print_json, table
    from suture.cli.workspace import workspace
    from suture.services import controls

    found = controls.listing(workspace())
    if json:
        print_json({"controls": found})
        return
    if not found:
        console().print("No controls yet. Add one: suture control add FILE")
        return
    made = table("Control", "|Does", "|Against", "|Where", "In force on", right=["In force on"])
    for one in found:
        made.add_row(
            plain(one.control.id),
            plain(one.control.summary),
            plain(", ".join(one.control.cves)),
            plain(one.control.when),
            plain(len({each.host for each in one.in_force})),
        )
    console().print(made)


@app.command()
def show(control: ControlId, json: Json = False) -> None:
    """One control, and the hosts where it is in force."""
    from suture.cli.output import print_json
    from suture.cli.workspace import workspace
    from suture.services import controls

    found = controls.get(workspace(), control)
    if json:
        print_json(found)
    else:
        _print(found)


@app.command()
def add(file: Annotated[Path, typer.Argument(help="YAML file with one control.")]) -> None:
    """Keep a control, or another version of one; no host is contacted."""
    from suture.cli.asking import actor
    from suture.cli.output import console, plain
    from suture.cli.workspace import workspace
    from suture.services import controls

    control, what = controls.add(workspace(), file, actor=actor())
    out = console()
    out.print(plain(f"{control.id} {what}: {control.summary}", limit=1000))
    out.print(plain(f"Next: suture plan create --control {control.id}", "bold"))


@app.command()
def remove(control: ControlId) -> None:
    """Forget a control. Where it is in force it stays so, until its rollout is taken back."""
    from suture.cli.asking import actor
    from suture.cli.output import console, plain
    from suture.cli.workspace import workspace
    from suture.services import controls

    in_force = controls.remove(workspace(), control, actor=actor())
    out = console()
    out.print(plain(f"{control} removed."))
    for one in in_force:
        remedy = f"suture rollback {one.rollout} --host {one.host}"
        out.print(plain(f"Still in force on {one.host}; take it back: {remedy}", limit=1000))


def _print(found: ControlStatus) -> None:
    from suture.cli.output import console, plain, table

    out, control = console(), found.control
    out.print(plain(control.id, "bold") + plain(f"  {control.title}", limit=1000))
    lines = [
        ("does", control.summary),
        ("why", control.reason),
        ("against", ", ".join(control.cves) or "no CVE"),
        ("where", str(control.when)),
    ]
    if control.setting and control.setting.validate:
        lines.append(("validated by", control.setting.validate))
    if control.setting and control.setting.reload:
        lines.append(("reloads", control.setting.reload))
    for word, text in lines:
        out.print(plain(f"  {word}: {text}", limit=2000))
    if not found.in_force:
        out.print(plain("  in force on no host"))
        return
    made = table("In force on", "Since", "Rollout")
    for one in found.in_force:
        since = one.since.strftime("%Y-%m-%d %H:%M UTC")
        made.add_row(plain(one.host), plain(since), plain(one.rollout))
    out.print(made)
