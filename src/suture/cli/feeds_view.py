"""How feeds look: progress while they are fetched, and their age and state."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from suture.cli.output import console, count, duration, plain, size, styled, table

if TYPE_CHECKING:
    from suture.services.feeds import FeedStatus
    from suture.services.syncing import Progress, Synced
    from suture.store.knowledge import FeedState

_MOST_ARRIVALS = 10


@contextmanager
def sync_progress(*, quiet: bool) -> Iterator[Progress]:
    """A bar for what is being fetched; without a terminal nothing is shown."""
    if quiet or not sys.stderr.isatty():
        yield lambda feed, what, done, total: None
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(30),
        TextColumn("{task.fields[at]}"),
    )
    with Bars(*columns, console=console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None, at="")

        def show(feed: str, what: str, done: int, total: int | None) -> None:
            at = f"{size(done)} of {size(total)}" if total else size(done) if done else ""
            name = plain(f"{feed}: {what}", limit=60).plain
            bars.update(
                task, description=name.replace("[", "\\["), completed=done, total=total, at=at
            )

        yield show


@contextmanager
def naming(what: str, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Names each feed as its turn comes."""
    if quiet or not sys.stderr.isatty():
        yield lambda feed: None
        return
    out = console(stderr=True)
    with out.status(what) as shown:
        yield lambda feed: shown.update(plain(f"{what} {feed}"))


def print_synced(one: Synced) -> None:
    out = console()
    line = plain(f"{one.feed:<20} ", "bold") + styled(one.outcome)
    if one.error:
        out.print(line + plain(f": {one.error}", limit=1500))
        out.print(plain(f"{'':<20} {one.remedy}", limit=1500))
        return
    changed = f", {one.began:,} new, {one.ended:,} ended" if one.began or one.ended else ""
    out.print(line + plain(f"  {one.records:,} records{changed}  ({duration(one.seconds)})"))
    for arrival in one.arrivals[:_MOST_ARRIVALS]:
        sources = ", ".join(arrival.sources)
        on = count(arrival.hosts, "host")
        out.print(plain(f"  newly open: {arrival.cve} in {sources} on {on}", "yellow"))
    if len(one.arrivals) > _MOST_ARRIVALS:
        more = len(one.arrivals) - _MOST_ARRIVALS
        out.print(plain(f"  and {more} more: suture findings", "yellow"))


def print_status(found: tuple[FeedStatus, ...]) -> None:
    """A line a feed; those never used are only named."""
    out = console()
    used = [one for one in found if one.used or one.synced_at or one.error]
    made = table(
        "Feed", "Age", "State", "Records", "Newest word", "|From", right=("Age", "Records")
    )
    for one in used:
        made.add_row(
            plain(one.name),
            plain("never" if one.age_s is None else duration(one.age_s)),
            styled(_state(one)),
            plain(f"{one.records:,}"),
            plain(one.newest or "–"),
            plain(one.mirror or one.url),
        )
    out.print(made)
    for one in used:
        if one.error:
            out.print(plain(f"{one.name}: {one.error}", "red", limit=1500))
            out.print(plain(f"  {one.remedy}", limit=1500))
    others = [one.name for one in found if one not in used]
    if others:
        out.print(plain(f"Not used by this fleet: {', '.join(others)}.", "dim", limit=2000))
    if any(one.age_s is None or one.stale for one in used):
        out.print(plain("Next: suture feeds sync", "bold"))


def _state(one: FeedStatus) -> str:
    if one.error:
        return "failed"
    if one.age_s is None:
        return "unknown"
    return "stale" if one.stale else "current"


def print_imported(states: tuple[FeedState, ...]) -> None:
    made = table("Feed", "Records", "As of", right=("Records",))
    for state in states:
        made.add_row(
            plain(state.name),
            plain(f"{state.records:,}"),
            plain(f"{state.synced_at:%Y-%m-%d %H:%M} UTC" if state.synced_at else "never"),
        )
    console().print(made)
