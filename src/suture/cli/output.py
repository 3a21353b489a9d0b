"""Printing: tables for people, canonical JSON for programs, and errors with their remedy.

Whatever comes from a host or a file is shown through :func:`plain`, so that no name, version
or log line can colour, move or rewrite the terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
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
    "fetching": "cyan",
    "skipped": "yellow",
    "lost": "bold yellow",
    "running": "cyan",
    "paused": "bold yellow",
    "aborted": "red",
    "synced": "green",
    "unchanged": "dim",
    "current": "green",
    "stale": "bold yellow",
    "error": "bold red",
    "warning": "yellow",
}


_UNSEEN_WIDTH = 120
_LONG = 40


def console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        from rich.console import Console

        return Console(stderr=stderr, highlight=False)
    from suture.cli.listing import Paper

    return Paper(stderr=stderr, highlight=False, width=_UNSEEN_WIDTH)


def plain(value: object, style: str = "", *, limit: int = 500) -> Text:
    """Text without markup or control characters; spaces at the ends are kept. The style is this
    part's own: what is added to it keeps another."""
    from rich.text import Text

    from suture.hosts.text import clean

    text = str(value)
    before = " " * (len(text) - len(text.lstrip(" ")))
    after = " " * (len(text) - len(text.rstrip(" "))) if text.strip() else ""
    return Text().append(before + clean(text, limit) + after, style=style)


def styled(word: object) -> Text:
    """A state, severity or verdict in the colour that it has everywhere."""
    text = str(getattr(word, "value", word))
    return plain(text, STYLES.get(text, ""))


def table(*columns: str, title: str = "", right: Sequence[str] = ()) -> Table:
    """The one look of all listings: a header, no lines between the rows. The columns after ``|`` in
    the header are broken over lines where the terminal is narrow, and names only where it is too
    narrow for them."""
    from rich import box

    from suture.cli.listing import Listing

    made = Listing(
        box=box.SIMPLE_HEAD,
        title=title or None,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        header_style="bold",
    )
    for column in columns:
        made.add_column(
            column.removeprefix("|"),
            justify="right" if column in right else "left",
            overflow="fold",
            no_wrap=not column.startswith("|"),
        )
    return made


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names in a row; of very many the first, and how many more there are."""
    if len(names) <= most:
        return ", ".join(names)
    shown = names[: most // 2]
    return f"{', '.join(shown)} and {len(names) - len(shown):,} more"


def brief(text: str, said: Iterable[str], where: str = "as above") -> str:
    """``text`` with ``where`` in place of every long text that is ``said`` in full elsewhere."""
    for known in sorted(said, key=len, reverse=True):
        if len(known) >= _LONG:
            text = text.replace(known, where)
    return text


def print_json(value: Any) -> None:
    """Canonical JSON, indented, to standard output."""
    import msgspec

    from suture.core.documents import encode

    sys.stdout.buffer.write(msgspec.json.format(encode(value), indent=2) + b"\n")
    sys.stdout.flush()


def print_text(text: str) -> None:
    """Text for another program, byte for byte, to standard output."""
    sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()


def count(number: int, what: str) -> str:
    """``1 host``, ``2,000 hosts``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


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
    if seconds < 172_800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} d"
