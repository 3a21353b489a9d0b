"""A line a host while hosts are being worked on, on standard error, gone when it is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.live import Live

_showing: list[Live] = []

Progress = Callable[[str, str], None]


@contextmanager
def host_progress(*, quiet: bool = False) -> Iterator[Progress]:
    """Yields ``progress(host, what)``; without a terminal nothing is shown."""
    if quiet or not sys.stderr.isatty():
        yield lambda host, what: None
        return
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.table import Table

    from suture.cli.output import console, plain

    states: dict[str, str] = {}
    spinner = Spinner("dots")
    done = ("failed", "collected", "changelogs read")

    def view() -> Table:
        made = Table.grid(padding=(0, 1))
        busy = [(host, what) for host, what in states.items() if what not in done]
        for host, what in busy[:15]:
            made.add_row(spinner, plain(host), plain(what, "dim"))
        if len(states) > 15:
            made.add_row("", plain(f"{len(states) - len(busy)} of {len(states)} hosts done"), "")
        return made

    with Live(get_renderable=view, console=console(stderr=True), transient=True) as live:
        _showing.append(live)
        try:
            yield states.__setitem__
        finally:
            _showing.remove(live)


@contextmanager
def paused() -> Iterator[None]:
    """The screen is somebody else's meanwhile: a question would be drawn over."""
    showing = list(_showing)
    for live in showing:
        live.stop()
    try:
        yield
    finally:
        for live in showing:
            live.start()
