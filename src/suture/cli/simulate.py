"""``suture simulate``: what a policy would do over weeks, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from suture.services.simulating import Calendar, Day


def simulate(
    hosts: Annotated[
        int | None, typer.Option(help="So many pretend hosts (default: those enrolled).")
    ] = None,
    weeks: Annotated[int, typer.Option(help="How long.")] = 12,
    seed: Annotated[int, typer.Option(help="The same seed draws the same.")] = 1,
    begins: Annotated[
        str | None, typer.Option(help="First day, such as 2026-11-30 (default: today).")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
    json: Json = False,
) -> None:
    """Plan and roll out week after week in virtual time, against hosts that are not there.

    Updates, durations and failures are drawn from the seed. No host is contacted, nothing stored.
    """
    from datetime import UTC, date, datetime

    from suture.cli.output import console, print_json
    from suture.cli.workspace import workspace
    from suture.services import simulating

    try:
        first = date.fromisoformat(begins) if begins else datetime.now(UTC).date()
    except ValueError:
        raise typer.BadParameter(f"not a day such as 2026-11-30: {begins!r:.40}") from None
    calendar = simulating.simulate(
        workspace(), hosts=hosts, weeks=weeks, seed=seed, begins=first, policy_file=policy
    )
    if json:
        print_json(calendar)
        return
    _print(console(), calendar)


def _print(out: Console, calendar: Calendar) -> None:
    from suture.cli.output import count, plain, table

    text = f"{count(calendar.hosts, 'host')}, {count(len(calendar.weeks), 'week')}, "
    text += f"seed {calendar.seed}, by "
    out.print(plain(text + calendar.policy, "bold"))
    weeks = {week.begins: week for week in calendar.weeks}
    made = table(
        "Day (UTC)", "|Patched", "Taken back", "Not well", "Skipped", "Waiting", "Overdue", "|Plan"
    )
    before = 0, 0
    for day in calendar.days:
        week = weeks.get(day.day)
        stands = day.waiting, day.overdue
        if not (day.ended or week or stands != before):
            continue
        before = stands
        made.add_row(
            plain(f"{day.day:%a %Y-%m-%d}"),
            plain(_by_window(day)),
            plain(day.ended.get("rolled-back", "")),
            plain(day.ended.get("rollback-failed", 0) + day.ended.get("lost", 0) or ""),
            plain(day.ended.get("skipped", "")),
            plain(day.waiting or ""),
            plain(day.overdue or "", "bold red"),
            plain(_said(week.planned, week.left_out, week.late, week.pauses) if week else ""),
        )
    out.print(made)
    patched = sum(day.ended.get("done", 0) for day in calendar.days)
    worst = max((day.overdue for day in calendar.days), default=0)
    out.print(plain("Days on which nothing changed are left out.", "dim"))
    text = f"Hosts were patched {count(patched, 'time')}; at worst {count(worst, 'host')} overdue"
    out.print(plain(text, "bold"))


def _by_window(day: Day) -> str:
    names = ", ".join(f"{name} {count}" for name, count in sorted(day.windows.items()))
    return f"{day.ended.get('done', 0)} ({names})" if names else ""


def _said(planned: int, left_out: int, late: int, pauses: int) -> str:
    from suture.cli.output import count

    words = [count(planned, "host")]
    words += [f"{left_out} left out"] if left_out else []
    words += [f"{late} cannot be in time"] if late else []
    words += [count(pauses, "pause")] if pauses else []
    return ", ".join(words)
