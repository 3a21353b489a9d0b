"""A fleet's packages as columns: each distinct package once, hosts as arrays of their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suture.core.inventory import Package

Ids = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Fleet:
    """What counts on each host, from its newest observation.

    A package's id is its place in ``packages``. ``hosts`` and ``releases`` belong together; the
    packages of host ``n`` are ``ids[starts[n]:starts[n + 1]]``, in no order.
    """

    packages: Sequence[Package]
    hosts: Sequence[str]
    releases: Sequence[str]
    starts: NDArray[np.int64]
    ids: Ids


class Interner:
    """Gives each distinct package a number, and remembers the line of text that it was read from,
    so that a fleet's worth of text is read once for each distinct line."""

    def __init__(self) -> None:
        self._ids: dict[Package, int] = {}
        self._lines: dict[str, int] = {}

    @property
    def packages(self) -> tuple[Package, ...]:
        return tuple(self._ids)

    def intern(self, packages: Iterable[Package]) -> list[int]:
        return [self._ids.setdefault(package, len(self._ids)) for package in packages]

    def intern_lines(
        self, lines: Sequence[str], read: Callable[[str], Package | None]
    ) -> list[int]:
        """``read`` is asked once for each distinct line; None is a line about no package.

        What it raises is the caller's to handle.
        """
        known = self._lines
        try:
            ids = [known[line] for line in lines]
        except KeyError:
            for line in lines:
                if line not in known:
                    package = read(line)
                    known[line] = -1 if package is None else self.intern((package,))[0]
            ids = [known[line] for line in lines]
        return [one for one in ids if one >= 0] if -1 in ids else ids


def columns(
    packages: Sequence[Package],
    hosts: Sequence[str],
    releases: Sequence[str],
    sets: Sequence[Sequence[int] | Ids],
) -> Fleet:
    """A fleet from each host's package ids."""
    lengths = np.fromiter(map(len, sets), np.int64, len(sets))
    arrays = [np.asarray(one, np.int32) for one in sets]
    return Fleet(
        packages=packages,
        hosts=hosts,
        releases=releases,
        starts=np.concatenate(([0], np.cumsum(lengths))),
        ids=np.concatenate(arrays) if arrays else np.empty(0, np.int32),
    )
