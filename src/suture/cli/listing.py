"""The table behind every listing. Rich cuts off what may not be broken and does not fit, and two
hosts or versions that differ at their end would then look alike. Here a terminal gets them broken,
and a file or another program whole."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table

_WORD = 24  # cells: longer words may be broken at any width


class Paper(Console):
    """What is no terminal: prose has a width there, and tables are as wide as their names."""

    def print(self, *objects: Any, **how: Any) -> None:
        super().print(*objects, **{"crop": False} | how)


class Listing(Table):
    """Columns that may not be broken are, where the terminal is too narrow for all of them."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        between = self._extra_width + sum(self.padding[1::2]) * (len(self.columns) - 1)
        least = between + sum(map(_least, self.columns))
        if least > options.max_width and isinstance(console, Paper):
            options = options.update_width(least)
        elif least > options.max_width:
            for column in self.columns:
                column.no_wrap = False
        yield from super().__rich_console__(console, options)


def _least(column: Column) -> int:
    """The cells that a column needs to show every name, or the words of its text, whole."""
    lines = (str(cell) for cell in (column.header, *column.cells))
    if column.no_wrap:
        return max((cell_len(line) for line in lines), default=0)
    return min(_WORD, max((cell_len(word) for line in lines for word in line.split()), default=0))
