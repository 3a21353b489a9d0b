"""The table behind every listing. Rich cuts off what may not be broken and does not fit, and two
hosts or versions that differ at their end would then look alike. Here a terminal gets them broken,
and a file or another program whole."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table

_TEXT = 24  # cells: longer text may be broken at any width


class Paper(Console):
    """What is no terminal: prose has a width there, and tables are as wide as their names."""

    def print(self, *objects: Any, **how: Any) -> None:
        super().print(*objects, **{"crop": False} | how)


class Listing(Table):
    """Columns that may not be broken are, where the terminal is too narrow for all of them."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        between = self._extra_width + sum(self.padding[1::2]) * (len(self.columns) - 1)
        on_paper = isinstance(console, Paper)
        least = between + sum(_least(column, by_word=not on_paper) for column in self.columns)
        if least > options.max_width and on_paper:
            options = options.update_width(least)
        elif least > options.max_width:
            for column in self.columns:
                column.no_wrap = False
        yield from super().__rich_console__(console, options)


def _least(column: Column, *, by_word: bool) -> int:
    """The cells that a column needs to show every name whole, and its text lines or words."""
    lines = (str(cell) for cell in (column.header, *column.cells))
    if column.no_wrap:
        return max(map(cell_len, lines))
    parts = (part for line in lines for part in (line.split() if by_word else line.splitlines()))
    return min(_TEXT, max(map(cell_len, parts), default=0))
