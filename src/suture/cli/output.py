"""Printing: tables for people, canonical JSON for programs, and errors with their remedy.

Whatever comes from a host or a file is shown through :func:`plain`, so that no name, version
or log line can colour, move or rewrite the terminal.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

STYLES = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
    "unknown": "dim",
    "pass": "green",
    "fail": "bold red",
    "inconclusive": "yellow",
    "done": "green",
    "rolled-back": "magenta",
    "rolling-back": "magenta",
    "rollback-failed": "bold red",
    "failed": "red",
    "patching": "cyan",
    "skipped": "yellow",
    "lost": "bold yellow",
    "running": "cyan",
    "paused": "bold yellow",
    "aborted": "red",
    "error": "bold red",
    "warning": "yellow",
}


def console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def plain(value: object, style: str = "", *, limit: int = 500) -> Text:
    """Text without markup or control characters."""
    from rich.text import Text

    from suture.hosts.text import clean

    return Text(clean(str(value), limit), style=style)


def styled(word: object) -> Text:
    """A state, severity or verdict in the colour that it has everywhere."""
    text = str(getattr(word, "value", word))
    return plain(text, STYLES.get(text, ""))


def table(*columns: str, title: str = "", right: tuple[str, ...] = ()) -> Table:
    """The one look of all listings: a header, no lines between the rows."""
    from rich import box
    from rich.table import Table

    made = Table(
        box=box.SIMPLE_HEAD,
        title=title or None,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        header_style="bold",
    )
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def print_json(value: Any) -> None:
    """Canonical JSON, indented, to standard output."""
    import msgspec

    from suture.core.documents import encode

    sys.stdout.buffer.write(msgspec.json.format(encode(value), indent=2) + b"\n")
    sys.stdout.flush()


def ago(then: datetime, now: datetime) -> str:
    """``3 min ago``, for tables; the exact time is in the JSON."""
    seconds = (now - then).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now" if seconds < 5 else f"{int(seconds)} s ago"


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
