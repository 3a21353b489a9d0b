"""How the difference of two plans looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suture.cli.output import plain

if TYPE_CHECKING:
    from rich.console import Console

    from suture.core.planning.plan import PlanDiff


def print_diff(out: Console, found: PlanDiff) -> None:
    """What a second plan does otherwise than the first."""
    if found.is_empty:
        out.print(plain("The plans do the same.", "green"))
        return
    for sign, style, names in (
        ("+", "green", found.hosts_added),
        ("-", "red", found.hosts_dropped),
    ):
        for name in names:
            out.print(plain(f"{sign} {name}", style))
    for host in found.hosts_changed:
        out.print(plain(f"~ {host.host}", "yellow"))
        for sign, style, changes in (("+", "green", host.added), ("-", "red", host.dropped)):
            for change in changes:
                before = change.before or "(new)"
                out.print(plain(f"    {sign} {change.key} {before} → {change.after}", style))
        for both in host.replaced:
            out.print(
                plain(f"    ~ {both.after.key} {both.before.after} → {both.after.after}", "yellow")
            )
        for sign, style, ids in (
            ("+", "green", host.controls_added),
            ("-", "red", host.controls_dropped),
        ):
            for name in ids:
                out.print(plain(f"    {sign} control {name}", style))
        if host.moved:
            out.print(plain(f"    ring {host.moved[0]} → {host.moved[1]}", "yellow"))
