"""No terminal is too narrow for a name or a version to be told from another."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from suture.cli.listing import Paper
from suture.cli.output import plain, table

NAMES = ("web-0001.prod.example.org", "web-0002.prod.example.org")
VERSIONS = ("1.22.1-9+deb12u9", "1.22.1-9+deb12u11")


def shown(width: int, kind: type[Console] = Console) -> list[str]:
    made = table("Host", "|Why", "Now", "Back to")
    for name in NAMES:
        made.add_row(plain(name), plain("as it was before, verified"), *map(plain, VERSIONS))
    out = io.StringIO()
    kind(file=out, width=width).print(made)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [30, 45, 60, 80])
def test_what_does_not_fit_is_broken_and_not_cut_off(width: int) -> None:
    lines = shown(width)
    assert max(map(len, lines)) <= width
    everything = "".join("".join(lines).split())
    rows = "".join((*NAMES, *VERSIONS * 2))
    assert all(everything.count(one) >= rows.count(one) for one in set(rows))


@pytest.mark.parametrize(("width", "kind"), [(100, Console), (40, Paper)])
def test_names_are_whole_where_they_fit_and_where_there_is_no_terminal(
    width: int, kind: type[Console]
) -> None:
    lines = shown(width, kind)
    assert all(any(name in line for line in lines) for name in (*NAMES, *VERSIONS))
